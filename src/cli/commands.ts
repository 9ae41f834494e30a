import type { Command } from './command.ts';
import { apiCommands, roleCommands } from './commands/access.ts';
import { auditCommands } from './commands/audit.ts';
import { clientCommands } from './commands/client.ts';
import { detailTypeCommands } from './commands/detail-type.ts';
import { doctorCommands } from './commands/doctor.ts';
import { keyCommands } from './commands/keys.ts';
import { protocolCommands } from './commands/protocol.ts';
import { registrationTokenCommands } from './commands/registration-token.ts';
import { serviceAccountCommands } from './commands/service-account.ts';
import { setupCommands } from './commands/setup.ts';
import { teamCommands } from './commands/team.ts';
import { tokenCommands } from './commands/token.ts';
import { trustCommands } from './commands/trust.ts';
import { userCommands } from './commands/user.ts';

/** The whole command line; `postern help` prints it in this order. */
export const commands: readonly Command[] = [
  ...setupCommands,
  ...userCommands,
  ...apiCommands,
  ...detailTypeCommands,
  ...roleCommands,
  ...teamCommands,
  ...serviceAccountCommands,
  ...trustCommands,
  ...clientCommands,
  ...registrationTokenCommands,
  ...protocolCommands,
  ...keyCommands,
  ...tokenCommands,
  ...auditCommands,
  ...doctorCommands,
];
