/** Options of the folder driver. */
import { Type } from 'typebox';

export const folderOptions = Type.Object(
  {
    root: Type.String({ minLength: 1, pattern: '^(/|[A-Za-z]:[\\\\/])[^\\u0000]*$', description: 'Absolute path of the folder.' }),
    writable: Type.Optional(
      Type.Boolean({ default: false, description: 'Let people with the right to create, modify and delete objects in it.' }),
    ),
  },
  { additionalProperties: false },
);
