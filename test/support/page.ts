/** As much of HTML as a program needs that fills in forms: forms with their fields, links, and the text that is shown. */
export interface Form {
  action: string;
  method: 'get' | 'post';
  /** What would be sent if nothing were typed. */
  fields: Record<string, string>;
  /** Everything that can be filled in, hidden fields not among them. */
  inputs: string[];
  /** What its buttons say. */
  buttons: string[];
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[String(name).toLowerCase()] ?? whole;
  });
}

function attributes(tag: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', quoted, single, bare] of tag.matchAll(
    /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g,
  )) {
    found.set(name.toLowerCase(), decode(quoted ?? single ?? bare ?? ''));
  }
  return found;
}

export function textOf(html: string): string {
  const shown = html.replace(/<(script|style|svg|head)\b.*?<\/\1>/gis, ' ').replace(/<[^>]*>/g, ' ');
  return decode(shown).replace(/\s+/g, ' ').trim();
}

export function formsOf(html: string): Form[] {
  return [...html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gis)].map(([, tag = '', inside = '']) => {
    const form = attributes(tag);
    const fields: Record<string, string> = {};
    const inputs: string[] = [];
    for (const [, , rest = ''] of inside.matchAll(/<(input)\b([^>]*)>/gi)) {
      const input = attributes(rest);
      const name = input.get('name');
      if (name === undefined) continue;
      const type = input.get('type') ?? 'text';
      if (type !== 'hidden') inputs.push(name);
      if ((type === 'checkbox' || type === 'radio') && !input.has('checked')) continue;
      fields[name] = input.get('value') ?? (type === 'checkbox' ? 'on' : '');
    }
    for (const [, rest = '', value = ''] of inside.matchAll(/<textarea\b([^>]*)>(.*?)<\/textarea>/gis)) {
      const name = attributes(rest).get('name');
      if (name === undefined) continue;
      inputs.push(name);
      fields[name] = decode(value);
    }
    for (const [, rest = '', options = ''] of inside.matchAll(/<select\b([^>]*)>(.*?)<\/select>/gis)) {
      const name = attributes(rest).get('name');
      if (name === undefined) continue;
      inputs.push(name);
      const all = [...options.matchAll(/<option\b([^>]*)>/gi)].map(([, option = '']) => attributes(option));
      fields[name] = (all.find((option) => option.has('selected')) ?? all[0])?.get('value') ?? '';
    }
    const buttons = [...inside.matchAll(/<button\b[^>]*type="submit"[^>]*>(.*?)<\/button>/gis)];
    return {
      action: form.get('action') ?? '',
      method: form.get('method')?.toLowerCase() === 'post' ? 'post' : 'get',
      fields,
      inputs,
      buttons: buttons.map(([, label = '']) => textOf(label)),
    };
  });
}
