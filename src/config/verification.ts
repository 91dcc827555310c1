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
  },
  { additionalProperties: false, default: {} },
)
