import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import { type Guard, type Route, route } from '../../platform/web/route.ts';
import type { Views } from '../../platform/web/views.ts';
import { attentionTo, type Installation } from './attention.ts';
import { readFigures } from './store.ts';

export interface RecentEvent {
  id: string;
  time: Date;
  action: string;
  outcome: string;
  reason: string | null;
  actorName: string | null;
  targetName: string | null;
  clientId: string | null;
  address: string | null;
}

export interface AdminNeeds {
  db: Pick<Database, 'query'>;
  clock: Clock;
  views: Views;
  /** Lets only admins pass and sets ctx.state.person. */
  admin: Guard;
  installation: Installation;
  events: {
    recent(action: string, limit: number): Promise<RecentEvent[]>;
    problems(since: Date, limit: number): Promise<{ events: RecentEvent[]; count: number }>;
  };
}

const SHOWN = 8;
const DAY_MS = 86_400_000;

/** The way into administration: what there is, what happened, what needs somebody. */
export function createAdmin({ db, clock, views, admin, installation, events }: AdminNeeds): { routes: Route[] } {
  return {
    routes: [
      route({ method: 'GET', path: '/admin', guards: [admin] }, async (ctx) => {
        const now = clock.now();
        const [figures, signIns, problems] = await Promise.all([
          readFigures(db, now),
          events.recent('user.sign_in', SHOWN),
          events.problems(new Date(now.getTime() - DAY_MS), SHOWN),
        ]);
        const model = {
          title: ctx.state.t('nav.overview'),
          figures,
          signIns,
          problems,
          attention: attentionTo(figures, problems.count, installation),
        };
        views.render(ctx, 'admin/overview', model, { layout: 'console' });
      }),
    ],
  };
}
