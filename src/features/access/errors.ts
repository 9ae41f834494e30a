import { invalidInput } from '../../kernel/check.ts';
import { AppError } from '../../kernel/errors.ts';

export const audienceTaken = () => invalidInput({ audience: { code: 'apis.audience_taken' } });
export const permissionTaken = () => invalidInput({ name: { code: 'apis.permission_taken' } });
export const apiNotFound = () => new AppError('apis.not_found', { status: 404 });

export const unknownPermission = (ref: string) =>
  invalidInput({ permissions: { code: 'apis.permission_unknown', params: { value: ref } } });

export const roleNameTaken = () => invalidInput({ name: { code: 'roles.name_taken' } });
export const roleNotFound = () => new AppError('roles.not_found', { status: 404 });
/** The name was typed, so it is said beside its field. */
export const roleUnknown = () => {
  const code = 'roles.not_found';
  return new AppError(code, { status: 422, fields: { role: { code } } });
};
export const holderNotFound = () => new AppError('roles.holder_not_found', { status: 404 });
export const holderUnknown = () => invalidInput({ holder: { code: 'roles.holder_unknown' } });
export const holderAmbiguous = () => invalidInput({ holder: { code: 'roles.holder_ambiguous' } });
export const roleBuiltIn = () => new AppError('roles.built_in', { status: 409 });
export const lastAdmin = () => new AppError('roles.last_admin', { status: 409 });

/** The last admin's role with an end would leave nobody after it. */
export const lastLastingAdmin = () => invalidInput({ expires: { code: 'roles.last_lasting_admin' } });
export const notForTeams = () => {
  const code = 'roles.not_for_teams';
  return new AppError(code, { status: 409, fields: { _form: { code } } });
};

const inclusion = (code: string, params: Record<string, string | number> = {}) =>
  invalidInput({ includes: { code, params } });
export const unknownRole = (name: string) => inclusion('roles.include_unknown', { name });
export const builtInStandsAlone = () => inclusion('roles.built_in_alone');
export const inclusionCycle = (way: string[]) => inclusion('roles.include_cycle', { way: way.join(' → ') });
export const inclusionTooDeep = (max: number) => inclusion('roles.include_depth', { max });
export const inclusionTooMany = (name: string, max: number) => inclusion('roles.include_many', { name, max });
