/** A text as QR code: the path of an SVG, one square a module, with the quiet edge that readers need. */
import { encode } from 'uqr';

/** Modules of light around it: what ISO/IEC 18004 asks for. */
export const quietEdge = 4;

export interface QrPath {
  /** Modules of a side, with its edge. */
  readonly size: number;
  readonly path: string;
}

export function writeQrPath(text: string): QrPath {
  const { data, size } = encode(text, { ecc: 'M', border: quietEdge });
  return { size, path: data.map((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')).join('')).join('') };
}
