/** What an application is: it decides how it can prove itself. Web applications alone keep a secret or a key. */
export const APPLICATION_TYPES = ['web', 'spa', 'native'] as const;

/** What an application may learn of a person; API permissions stand apart. */
export const OIDC_SCOPES = ['openid', 'profile', 'email', 'roles', 'groups', 'offline_access'] as const;

export type ApplicationType = (typeof APPLICATION_TYPES)[number];
