import type { Postern } from './postern.ts';

/** Notifications come in order: when this one has come, what is kept in memory is what was there before the call. */
export async function everythingTold({ db }: Pick<Postern, 'db'>): Promise<void> {
  const told = Promise.withResolvers<void>();
  const stop = await db.listen('everything_told', () => told.resolve());
  await db.notify('everything_told', '');
  await told.promise;
  await stop();
}
