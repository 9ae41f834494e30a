import type { RowName } from '../options.ts';
import { jwtEddsa, jwtEs256, opaque, openLoop, thousandConnections } from './client-credentials.ts';
import {
  codeExchangeRow,
  introspectJwtRow,
  introspectOpaqueRow,
  jwks,
  metadata,
  refreshRow,
  revoke,
  userinfoRow,
} from './endpoints.ts';
import { idleMemory, start } from './process.ts';
import type { Measure } from './row.ts';
import { growthClients, growthRows, twoWorkers } from './scaling.ts';
import { signInRow } from './sign-in.ts';

export const MEASURES: Record<RowName, Measure> = {
  cc_jwt_es256: jwtEs256,
  cc_jwt_eddsa: jwtEddsa,
  cc_opaque: opaque,
  cc_1000_connections: thousandConnections,
  cc_open_loop_1000: openLoop,
  introspect_jwt: introspectJwtRow,
  introspect_opaque: introspectOpaqueRow,
  userinfo: userinfoRow,
  refresh: refreshRow,
  code_exchange: codeExchangeRow,
  sign_in: signInRow,
  revoke,
  metadata,
  jwks,
  workers_2_over_1: twoWorkers,
  growth_rows: growthRows,
  growth_clients: growthClients,
  start,
  idle_memory: idleMemory,
};
