import { AppError } from '../../kernel/errors.ts';

/** The client, person or API whose tokens are meant. */
export const ownerNotFound = () => new AppError('tokens.owner_not_found', { status: 404 });

export const tokenNotFound = () => new AppError('tokens.not_found', { status: 404 });
