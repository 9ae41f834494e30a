import { invalidInput } from '../../kernel/check.ts';
import { AppError } from '../../kernel/errors.ts';

export const trustNotFound = () => new AppError('workload_trusts.not_found', { status: 404 });
export const accountNotFound = () => new AppError('workload_trusts.account_not_found', { status: 404 });
export const nameTaken = () => invalidInput({ name: { code: 'workload_trusts.name_taken' } });
export const ownIssuer = () => invalidInput({ issuer: { code: 'workload_trusts.own_issuer' } });
export const tooMany = (max: number) => new AppError('workload_trusts.too_many', { status: 409, params: { max } });
