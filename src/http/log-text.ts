/** Log lines for people: `12:00:05 info  GET /api/v1/me 200 4 ms`. What is logged is already escaped and free of secrets. */

const levels: Readonly<Record<number, string>> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/** One JSON line of the logger as one line of text; as it is where it is no such line. */
export function writeLogText(line: string): string {
  let event: Record<string, unknown>;
  try {
    event = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level, time, msg, method, path, status, milliseconds, ...more } = event;
  const what = method === undefined ? String(msg ?? '') : `${method} ${path} ${status} ${milliseconds} ms`;
  const rest = Object.entries(more)
    .filter(([name]) => !['id', 'actor', 'peer'].includes(name) || method === undefined)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const single = `${what}${rest.join('')}`.replaceAll('\n', '\\n');
  return `${String(time).slice(11, 19)} ${(levels[Number(level)] ?? '').padEnd(5)} ${single}\n`;
}
