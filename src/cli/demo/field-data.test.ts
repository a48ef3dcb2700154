import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toPath } from '#model/path.ts';
import { requireComponent } from '#testing/component.ts';
import { awkwardNames, writeFieldData } from './field-data.ts';

describe('data of the demo', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-r-demo-'));
    await writeFieldData(folder, new AbortController().signal);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('has over 2,000 files and a notebook that is JSON', async () => {
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    expect(found.filter((one) => one.isFile()).length).toBeGreaterThan(2000);
    const notebook = JSON.parse(await readFile(join(folder, 'notebooks/snow-depth.ipynb'), 'utf8')) as { nbformat: number };
    expect(notebook.nbformat).toBe(4);
  });

  it('has awkward names that are all valid paths', () => {
    for (const name of awkwardNames) expect(toPath(name), name).toBeDefined();
  });

  it.runIf(requireComponent('gdalinfo', { command: 'gdalinfo', install: 'apt-get install gdal-bin' }))(
    'has a COG that gdalinfo accepts',
    () => {
      const said = JSON.parse(execFileSync('gdalinfo', ['-json', '-checksum', join(folder, 'elevation/alps.tif')], { encoding: 'utf8' }));
      expect(said.size).toEqual([1024, 1024]);
      expect(said.metadata.IMAGE_STRUCTURE.LAYOUT).toBe('COG');
      expect(said.bands[0].overviews).toHaveLength(1);
      expect(said.geoTransform[0]).toBe(6.5);
      expect(JSON.stringify(said.coordinateSystem)).toContain('WGS 84');
    },
  );
});
