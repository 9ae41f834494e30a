import { invalidInput } from '../../kernel/check.ts';
import { AppError } from '../../kernel/errors.ts';

export const audienceTaken = () => invalidInput({ audience: { code: 'apis.audience_taken' } });
export const permissionTaken = () => invalidInput({ name: { code: 'apis.permission_taken' } });
export const apiNotFound = () => new AppError('apis.not_found', { status: 404 });

export const unknownPermission = (ref: string) =>
  invalidInput({ permissions: { code: 'apis.permission_unknown', params: { value: ref } } });

export const roleNameTaken = () => invalidInput({ name: { code: 'roles.name_taken' } });
export const roleNotFound = () => new AppError('roles.not_found', { status: 404 });
export const holderNotFound = () => new AppError('roles.holder_not_found', { status: 404 });
export const holderUnknown = () => invalidInput({ holder: { code: 'roles.holder_unknown' } });
export const roleBuiltIn = () => new AppError('roles.built_in', { status: 409 });
export const lastAdmin = () => new AppError('roles.last_admin', { status: 409 });
