/** Texts of the demo package. */

export const demoReadme = `# Snow and stations

Half a year of hourly snow depth at three made-up stations, a made-up elevation model, and real public data sets to set beside them. It
was put together with packageR: nothing here was copied, every file but this one, the notebook and \`package.yaml\` is a pointer to where the
data lies.

| folder | what | from |
|---|---|---|
| \`stations/\` | one CSV a day and station, January to June 2024 | made up |
| \`elevation/\` | a Cloud-Optimised GeoTIFF, 1024 × 1024 | made up |
| \`notebooks/\` | how to read them | |
| \`weather/\`, \`vega/\` | weather, flights, a world map | vega-datasets |
| \`names/\` | file names that break careless tools | made up |

## Use

\`\`\`python
import csv, glob
for path in sorted(glob.glob('stations/*/*/*.csv')):
    rows = list(csv.DictReader(open(path)))
\`\`\`

## Licence

The made-up data: CC0-1.0. The data sets of Vega: BSD-3-Clause, and the terms of each source as vega-datasets states them.
`;

export const demoYaml = `title: Snow and stations
description: Hourly snow depth at three made-up stations, with public data sets to set beside them.
licence: CC0-1.0
authors:
  - name: packageR demo
keywords: [snow, weather, demo]
`;
