/** Families of files, by the ending of their names: what a glyph stands for. */
import { Archive, AudioLines, Braces, File, FileImage, FileText, Film, Folder, Map as MapIcon, NotebookText, Table2 } from '@lucide/vue';
import type { Component } from 'vue';
import type { EntryAnswer } from '#api/entries.ts';

const families: readonly (readonly [Component, string])[] = [
  [MapIcon, 'tif tiff geotiff vrt jp2 nc nc4 cdf hdf h5 hdf5 grib grb grib2 zarr zarray zgroup las laz copc'],
  [Table2, 'csv tsv parquet feather arrow xlsx ods sqlite db fits'],
  [NotebookText, 'ipynb rmd qmd'],
  [FileText, 'md markdown txt rst pdf doc docx odt tex log'],
  [Braces, 'json jsonl ndjson geojson yaml yml toml xml py r jl js ts sh c h cpp rs go java sql'],
  [FileImage, 'png jpg jpeg gif webp avif svg bmp ico heic'],
  [AudioLines, 'mp3 wav flac ogg opus m4a aac'],
  [Film, 'mp4 webm mkv mov avi m4v'],
  [Archive, 'zip tar gz tgz bz2 xz zst 7z rar'],
];
const byEnding = new Map(families.flatMap(([icon, endings]) => endings.split(' ').map((ending) => [ending, icon] as const)));

export function iconOf({ kind, path = '' }: EntryAnswer): Component {
  if (kind === 'folder') return Folder;
  return byEnding.get(path.slice(path.lastIndexOf('.') + 1).toLowerCase()) ?? File;
}
