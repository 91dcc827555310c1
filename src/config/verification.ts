import { Type } from '@sinclair/typebox'

/** Validation of signatures for everybody: `/verification`. */
export const VerificationSchema = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Whether /verification checks signatures, for applications and on a page.',
    }),
    documentsAtOnce: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 2,
      description: 'Documents that are looked at at a time, each in a process of its own.',
    }),
    waiting: Type.Integer({
      minimum: 0,
      default: 16,
      description: 'Documents that wait for their turn; more get 503 with Retry-After.',
    }),
    waitingPerAddress: Type.Integer({
      minimum: 0,
      default: 4,
      description: 'Of these, how many may come from one address; more get 429.',
    }),
    seconds: Type.Integer({
      minimum: 1,
      maximum: 60,
      default: 10,
      description: 'How long looking at one document may take before it is given up.',
    }),
    memoryMegabytes: Type.Integer({
      minimum: 512,
      default: 2048,
      description: 'Memory that such a process gets; on Linux the system gives no more.',
    }),
    policies: Type.Array(
      Type.Object(
        {
          identifier: Type.String({
            minLength: 1,
            description: 'As signatures name it: an OID in figures, or a URI.',
          }),
          file: Type.String({
            description: 'Its text, to the byte; signatures have the digest of it.',
          }),
        },
        { additionalProperties: false },
      ),
      {
        default: [],
        description:
          'Signature policies whose text is known: identifier and file. A signature under one of them passes where it means this very text.',
      },
    ),
    unknownPolicies: Type.Union([Type.Literal('undecided'), Type.Literal('remark')], {
      default: 'undecided',
      description:
        'What becomes of signatures under another policy: INDETERMINATE (SIGNATURE_POLICY_NOT_AVAILABLE), or no more than a remark.',
    }),
  },
  { additionalProperties: false, default: {} },
)
