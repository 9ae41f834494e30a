import { invalidInput } from '../../kernel/check.ts';
import { AppError } from '../../kernel/errors.ts';

export const serviceAccountNotFound = () => new AppError('service_accounts.not_found', { status: 404 });
export const nameTaken = () => invalidInput({ name: { code: 'service_accounts.name_taken' } });
/** There is no secret to rotate or revoke, and no need to switch. */
export const usesKeys = () => new AppError('service_accounts.uses_keys', { status: 409 });
export const usesSecret = () => new AppError('service_accounts.uses_secret', { status: 409 });
export const usesCertificate = () => new AppError('service_accounts.uses_certificate', { status: 409 });
