import type { Route } from '../../platform/web/route.ts';
import { createEnrollmentStep } from './enrollment.ts';
import { createFactorStep } from './factor.ts';
import { createSignInMail } from './mail.ts';
import type { Interaction, Needs } from './needs.ts';
import { createSignInPages } from './pages.ts';
import { createPasswordStep } from './password.ts';
import { createProgress } from './progress.ts';
import { signInRoutes } from './routes.ts';
import { createAttemptStore } from './store.ts';
import { createTries } from './tries.ts';

export type { Interaction, Needs } from './needs.ts';

/** Signing in: password, second factor, enrolment of a factor, one step after the other within one interaction. */
export function createSignIn<I extends Interaction>(needs: Needs<I>): { routes: Route[] } {
  const store = createAttemptStore(needs.db, {
    saveLogin: needs.saveLogin,
    useStep: needs.credentials.totp.useStep,
  });
  const progress = createProgress(needs, store);
  const tries = createTries(needs);
  return {
    routes: signInRoutes({
      needs,
      pages: createSignInPages(needs),
      progress,
      password: createPasswordStep(needs, store, progress, tries),
      factor: createFactorStep(needs, store, progress, tries),
      enrollment: createEnrollmentStep(needs, store, progress, createSignInMail(needs)),
    }),
  };
}
