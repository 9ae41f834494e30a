/** A permission of an API as one text, `<audience>#<name>`: an audience has no fragment, so the first `#` divides. */
export interface PermissionRef {
  audience: string;
  name: string;
}

export function parsePermissionRef(text: string): PermissionRef | undefined {
  const at = text.indexOf('#');
  if (at < 1 || at === text.length - 1) return undefined;
  return { audience: text.slice(0, at), name: text.slice(at + 1) };
}

export function formatPermissionRef(ref: PermissionRef): string {
  return `${ref.audience}#${ref.name}`;
}
