/** What the log and the audit trail say of the request behind an event. */
export interface RequestInfo {
  id: string;
  address: string;
  userAgent: string;
}
