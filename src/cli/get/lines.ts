/** Lines of a body of somebody else: cut at line feeds alone, UTF-8, and never longer than a limit, however long the body is. */
import { PackageRError } from '#errors/error.ts';

/** Bytes. Holds the longest path and the most metadata that a manifest can carry, with every character escaped. */
export const longestLine = 256 * 1024;

/** Without their ends; empty ones are left out. Errors: manifest_invalid for a line that is too long or no UTF-8. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array): string => {
    try {
      return decoder.decode(bytes);
    } catch {
      throw new PackageRError('manifest_invalid', 'A line is not UTF-8.');
    }
  };
  let rest = Buffer.alloc(0);
  for await (const chunk of body) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      checkLength(end - from);
      if (end > from) yield decode(bytes.subarray(from, end));
      from = end + 1;
    }
    rest = Buffer.from(bytes.subarray(from));
    checkLength(rest.length);
  }
  if (rest.length > 0) yield decode(rest);
}

function checkLength(bytes: number): void {
  if (bytes > longestLine) throw new PackageRError('manifest_invalid', `A line is longer than ${longestLine} bytes.`);
}
