/** OpenID Connect Client-Initiated Backchannel Authentication, section 10.1. */
export const CIBA = 'urn:openid:params:grant-type:ciba';
