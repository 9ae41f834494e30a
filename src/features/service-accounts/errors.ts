import { invalidInput } from '../../kernel/check.ts';
import { AppError } from '../../kernel/errors.ts';

export const serviceAccountNotFound = () => new AppError('service_accounts.not_found', { status: 404 });
export const nameTaken = () => invalidInput({ name: { code: 'service_accounts.name_taken' } });
