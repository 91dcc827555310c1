import { Type } from '@sinclair/typebox'

const closed = { additionalProperties: false }

/** Whom certificates of others are traced to, and where news of their revocation may come from. */
export const ValidationSchema = Type.Object(
  {
    anchorsFile: Type.Optional(
      Type.String({
        description:
          'PEM file of certificates that are trusted, besides our own root and those of external timestamping authorities.',
      }),
    ),
    privateHosts: Type.Array(Type.String({ pattern: '^[A-Za-z0-9.:_-]+$' }), {
      default: [],
      description:
        'Hosts at which certificates, CRLs and OCSP responses are fetched although their addresses are not of the public internet. Certificates of strangers say where to fetch: name nothing here that a stranger must not reach.',
    }),
    timeoutSeconds: Type.Integer({
      minimum: 1,
      maximum: 60,
      default: 5,
      description: 'How long one of these hosts may take.',
    }),
  },
  { ...closed, default: {} },
)
