import { invalidInput } from '../../kernel/check.ts';
import { AppError } from '../../kernel/errors.ts';

export const teamNotFound = () => new AppError('teams.not_found', { status: 404 });
export const teamNameTaken = () => invalidInput({ name: { code: 'teams.name_taken' } });

export const parentUnknown = (name: string) => invalidInput({ parent: { code: 'teams.unknown', params: { name } } });
/** `way`: from the team down to the one that it was to stand under. */
export const parentBelow = (way: string[]) =>
  invalidInput({ parent: { code: 'teams.parent_below', params: { way: way.join(' → ') } } });
export const tooDeep = (max: number) => invalidInput({ parent: { code: 'teams.too_deep', params: { max } } });

export const memberUnknown = () => invalidInput({ member: { code: 'teams.member_unknown' } });
export const managerUnknown = () => invalidInput({ manager: { code: 'teams.manager_unknown' } });
/** Of an owner in a form of another room. */
export const ownerUnknown = (name: string) => invalidInput({ owner: { code: 'teams.unknown', params: { name } } });

/** What still hangs on the team: the first of them by name. */
export const hasChildren = (names: string[]) => inUse('teams.has_children', names);
export const ownsAccounts = (names: string[]) => inUse('teams.owns_accounts', names);

const SAID = 10;

function inUse(code: string, all: string[]): AppError {
  const names = all.slice(0, SAID).join(', ') + (all.length > SAID ? ', …' : '');
  const params = { names, count: all.length };
  return new AppError(code, { status: 409, params, fields: { _form: { code, params } } });
}
