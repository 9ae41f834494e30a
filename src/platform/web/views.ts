import { Eta, type TemplateFunction } from 'eta';
import type { FieldError } from '../../kernel/errors.ts';
import type { AssetPaths } from './assets.ts';
import type { Ctx } from './context.ts';
import type { Locale } from './i18n.ts';

export type LayoutName = 'plain' | 'console' | 'bare';

export interface RenderOptions {
  /** `plain`: a centred card (signing in, set-up, consent, errors). `console`: header and side navigation (/account, /admin). `bare`: see bare.eta. */
  layout?: LayoutName;
  status?: number;
}

/** What a page hands to its view; everything in it stands at `it.<name>` there. */
export interface PageModel {
  /** The page's title, already translated. */
  title: string;
  values?: Record<string, unknown>;
  errors?: Record<string, FieldError>;
  [name: string]: unknown;
}

export interface Views {
  render(ctx: Ctx, view: string, model: PageModel, options?: RenderOptions): void;
  /** The page as text, for answers that others send (oidc-provider's own pages). */
  html(ctx: Ctx, view: string, model: PageModel, options?: RenderOptions): string;
}

export interface ViewsOptions {
  dir: string;
  assets: AssetPaths;
  /** Keep compiled templates in memory; off lets an edit be seen without a restart. */
  cache?: boolean;
}

/** Eta with autoescape: `<%= %>` escapes, `<%~ %>` is only for what `it.part()` and layouts return. */
export function createViews({ dir, assets, cache = true }: ViewsOptions): Views {
  const eta = new Eta({ views: dir, cache, autoEscape: true, escapeFunction: escapeHtml });

  const templates = new Map<string, { compiled: TemplateFunction; filepath: string }>();

  /** By its name: Eta itself would find out the path each time, and a page has a dozen parts. */
  function templateOf(name: string): { compiled: TemplateFunction; filepath: string } {
    const known = templates.get(name);
    if (known !== undefined) return known;
    const filepath = eta.resolvePath(name);
    const made = { compiled: eta.compile(eta.readFile(filepath)), filepath };
    if (cache) templates.set(name, made);
    return made;
  }

  function fill(name: string, data: object): string {
    const { compiled, filepath } = templateOf(name);
    return eta.render(compiled, data, { filepath });
  }

  function html(ctx: Ctx, view: string, model: PageModel, { layout = 'plain' }: RenderOptions = {}): string {
    const shared = { ...sharedOf(ctx), asset: assets.path };
    const part = (name: string, props: object = {}): string =>
      fill(`/layout/${name}`, { ...shared, part, ...known(name, props, model) });
    const page = { ...model, ...shared, part, errors: model.errors, values: model.values };
    const body = fill(view.startsWith('/') ? view : `/${view}`, page);
    return fill(`/layout/${layout}`, { ...page, body, flashes: ctx.state.flash.take() });
  }

  function render(ctx: Ctx, view: string, model: PageModel, options: RenderOptions = {}): void {
    const text = html(ctx, view, model, options);
    if (options.status !== undefined) ctx.status = options.status;
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'html';
    ctx.body = text;
  }

  return { render, html };
}

/** Form parts find their value and error by their name, unless they are told. */
function known(name: string, props: object, model: PageModel): object {
  const field = 'name' in props && typeof props.name === 'string' ? props.name : undefined;
  if (field === undefined || !FORM_PARTS.has(name)) return props;
  const value = model.values?.[field];
  const error = model.errors?.[field];
  return { ...(error !== undefined && { error }), ...props, ...(value !== undefined && { value }) };
}

const FORM_PARTS = new Set(['field', 'textarea', 'select', 'checkbox', 'choices']);

function sharedOf(ctx: Ctx): object {
  const { state } = ctx;
  const dates = dateFormats(state.locale);
  return {
    t: state.t,
    locale: state.locale,
    nonce: state.nonce,
    requestId: state.request.id,
    person: state.person,
    path: ctx.path,
    number: (value: number) => dates.number.format(value),
    /** A moment as text in UTC. For pages use the part `date`, which also shows it in the reader's own time zone. */
    dateText: (value: Date, style: 'date' | 'time' = 'time') =>
      style === 'date' ? dates.date.format(value) : dates.time.format(value),
    /** Made when a form prints it, so that pages without one set no cookie. */
    csrf: { toString: () => state.csrfToken },
  };
}

interface Formats {
  date: Intl.DateTimeFormat;
  time: Intl.DateTimeFormat;
  number: Intl.NumberFormat;
}

const formats = new Map<string, Formats>();

/** Intl formats are slow to make; there are as many as languages. */
function dateFormats({ tag }: Locale): Formats {
  let found = formats.get(tag);
  if (found === undefined) {
    found = {
      date: new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeZone: 'UTC' }),
      time: new Intl.DateTimeFormat(tag, {
        year: 'numeric',
        month: 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        timeZone: 'UTC',
        timeZoneName: 'short',
      }),
      number: new Intl.NumberFormat(tag),
    };
    formats.set(tag, found);
  }
  return found;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** `undefined` and `null` are empty text rather than the words. */
function escapeHtml(value: unknown): string {
  if (value === undefined || value === null) return '';
  return String(value).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
