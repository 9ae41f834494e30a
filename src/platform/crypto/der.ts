/** One element of DER (ITU-T X.690): its identifier octet and its contents. */
export interface Der {
  tag: number;
  content: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The elements that stand in `bytes` one after the other. Throws on what is not DER. */
export function readDer(bytes: Buffer): Der[] {
  const elements: Der[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1];
    // Tags above 30 take several octets; nothing in a certificate that is read here has one.
    if ((tag & 0x1f) === 0x1f || first === undefined) throw new Error('not DER: tag');
    let length = first;
    let start = at + 2;
    if (first >= 0x80) {
      const octets = first & 0x7f;
      if (octets < 1 || octets > 3 || start + octets > bytes.length) throw new Error('not DER: length');
      length = bytes.readUIntBE(start, octets);
      start += octets;
      if (length < 0x80 || length < 2 ** (8 * (octets - 1))) throw new Error('not DER: length is not the shortest');
    }
    const end = start + length;
    if (end > bytes.length) throw new Error('not DER: too short');
    elements.push({ tag, content: bytes.subarray(start, end) });
    at = end;
  }
  return elements;
}

/** What one constructed element holds. */
export function childrenOf(element: Der | undefined, tag?: number): Der[] {
  if (!element || (tag !== undefined && element.tag !== tag)) throw new Error('not DER: another element was expected');
  return readDer(element.content);
}

/** An object identifier in dots (X.690 section 8.19). */
export function oidOf(element: Der | undefined): string {
  if (element?.tag !== TAG.oid || element.content.length === 0) throw new Error('not DER: no object identifier');
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of element.content) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [head = 0n, ...rest] = arcs;
  const top = head < 80n ? head / 40n : 2n;
  return [top, head - top * 40n, ...rest].join('.');
}
