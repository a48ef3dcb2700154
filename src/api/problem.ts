/** How every error is answered: application/problem+json of RFC 9457, with a stable code. */
import { type Static, Type } from 'typebox';

export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String({ description: 'One sentence: what is wrong in general.' }),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; see docs/reference/errors.md.' }),
    detail: Type.String({ description: 'One sentence: what was wrong here.' }),
    help: Type.String({ description: 'One sentence: what to do.' }),
    instance: Type.String({ description: 'Id of the request, as in the log.' }),
    retryAfter: Type.Optional(Type.Number({ description: 'Seconds.' })),
    job: Type.Optional(Type.String({ description: 'Id of the job that stands in the way.' })),
  },
  { title: 'Problem', additionalProperties: false },
);
export type Problem = Static<typeof ProblemSchema>;
