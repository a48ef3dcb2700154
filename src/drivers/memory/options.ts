/** Options of the memory driver. */
import { Type } from 'typebox';

export const memoryOptions = Type.Object(
  {
    versions: Type.Optional(Type.Boolean({ default: true, description: 'Keep the object versions that a write replaces.' })),
  },
  { additionalProperties: false },
);
