/** What all sides of the bench `presign` sign with. The keys are those of AWS's own examples. */
import { readFileSync } from 'node:fs';

export const bucket = 'bucket';
export const region = 'eu-central-1';
export const instant = '2026-11-23T10:10:10Z';
export const expiresIn = 900;
export const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };

/** The keys of a file, one a line. */
export function readKeys(file: string): string[] {
  return readFileSync(file, 'utf8').trimEnd().split('\n');
}
