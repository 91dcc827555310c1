import { Type, type Static } from '@sinclair/typebox'

const closed = { additionalProperties: false }
const Url = (description: string) => Type.String({ pattern: '^https?://[^?#\\s]+$', description })

/** Nothing symmetric: a public key or a client secret must never do for a signature (S41). */
const SIGNING_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
] as const

const Algorithm = Type.Union(SIGNING_ALGORITHMS.map((name) => Type.Literal(name)))

const IdentityProviderSchema = Type.Object(
  {
    id: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
      description:
        'Short name, part of the redirect URI: baseUrl/oauth2/identity/ID/callback is what to register with the provider.',
    }),
    label: Type.String({
      minLength: 1,
      maxLength: 60,
      description: 'What signers know it as; on buttons.',
    }),
    issuer: Url(
      'Issuer identifier, exactly as the provider writes it. Its metadata are read from there.',
    ),
    endpoints: Type.Optional(
      Type.Object(
        {
          authorization: Url('Authorization endpoint.'),
          token: Url('Token endpoint.'),
          jwks: Url('Public keys.'),
          userinfo: Type.Optional(Url('Userinfo endpoint.')),
          pushedAuthorizationRequest: Type.Optional(Url('PAR endpoint.')),
        },
        { ...closed, description: 'Instead of discovery, for a provider that publishes none.' },
      ),
    ),
    clientId: Type.String({ minLength: 1, description: 'Our client identifier there.' }),
    authentication: Type.Union(
      [
        Type.Object(
          {
            method: Type.Literal('private_key_jwt'),
            keyFile: Type.String(),
            keyId: Type.Optional(Type.String({ minLength: 1 })),
            algorithm: Type.Optional(Algorithm),
            audience: Type.Optional(Type.Union([Type.Literal('issuer'), Type.Literal('endpoint')])),
          },
          closed,
        ),
        Type.Object(
          {
            method: Type.Union([
              Type.Literal('client_secret_basic'),
              Type.Literal('client_secret_post'),
            ]),
            secretFile: Type.String(),
          },
          closed,
        ),
      ],
      {
        description:
          'How we prove who we are there. private_key_jwt: keyFile (mode 0600, PEM or JWK), keyId, algorithm, audience (issuer, or endpoint for providers that want the address called). client_secret_basic or client_secret_post: secretFile (mode 0600).',
      },
    ),
    scopes: Type.Array(Type.String({ pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$' }), {
      minItems: 1,
      default: ['openid', 'profile'],
      description: 'Scopes asked for; openid among them.',
    }),
    acrValues: Type.Optional(
      Type.Array(Type.String({ pattern: '^\\S+$' }), {
        minItems: 1,
        description: 'Authentication context classes asked for (acr_values), best first.',
      }),
    ),
    requiredAcr: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'The acr of the ID token must be one of these.',
      }),
    ),
    allowedSigningAlgorithms: Type.Array(Algorithm, {
      minItems: 1,
      default: ['RS256', 'PS256', 'ES256'],
      description: 'For ID tokens and signed userinfo, whatever the provider’s metadata say.',
    }),
    userinfo: Type.Union(
      [
        Type.Object({ form: Type.Literal('none') }, closed),
        Type.Object({ form: Type.Literal('json') }, closed),
        Type.Object({ form: Type.Literal('signed'), jwksUri: Type.Optional(Url('')) }, closed),
        Type.Object(
          {
            form: Type.Literal('encrypted'),
            keyFile: Type.String(),
            keyId: Type.Optional(Type.String({ minLength: 1 })),
            jwksUri: Type.Optional(Url('')),
          },
          closed,
        ),
      ],
      {
        default: { form: 'none' },
        description:
          'form: none; json; signed (a JWT); encrypted (a signed JWT inside an encrypted one, opened with keyFile, mode 0600, PEM or JWK). jwksUri: where the keys are when someone else than the provider signs userinfo.',
      },
    ),
    pushedAuthorizationRequests: Type.Union([Type.Literal('when-offered'), Type.Literal('never')], {
      default: 'when-offered',
      description: 'Whether requests are pushed (RFC 9126).',
    }),
    maxAuthAgeSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 86400,
        description: 'How long ago the person may have authenticated there when signing in here.',
      }),
    ),
    clockToleranceSeconds: Type.Integer({
      minimum: 0,
      maximum: 60,
      default: 5,
      description: 'How far the provider’s clock may be off.',
    }),
    firstLogin: Type.Union([Type.Literal('refuse'), Type.Literal('link'), Type.Literal('enrol')], {
      default: 'refuse',
      description:
        'What happens to an identity seen for the first time: refused; linked to the account whose owner signs in at once; or given a new account under the verified name.',
    }),
    redirectsTo: Type.Array(Type.String({ pattern: '^https?://[^/?#@\\s]+$' }), {
      default: [],
      description:
        'Origins besides that of its authorization endpoint to which the provider sends browsers on; some browsers stop there otherwise.',
    }),
  },
  closed,
)

export type IdentityProviderSettings = Static<typeof IdentityProviderSchema>

export const IdentityProvidersSchema = Type.Array(IdentityProviderSchema, {
  default: [],
  description: 'ID BB or other OpenID Connect providers; see docs/identity-providers.md.',
})

/** A setting of a provider that names a file with a secret, and what must be in it. */
export interface ProviderFile {
  readonly setting: string
  readonly holds: 'signing key' | 'decryption key' | 'secret'
}

/** @param index position in `identityProviders` */
export function providerFiles(index: number): ProviderFile[] {
  const below = `identityProviders.${index}`
  return [
    { setting: `${below}.authentication.keyFile`, holds: 'signing key' },
    { setting: `${below}.authentication.secretFile`, holds: 'secret' },
    { setting: `${below}.userinfo.keyFile`, holds: 'decryption key' },
  ]
}

/** What the shape alone cannot say. */
export function providerProblems(
  providers: readonly Partial<IdentityProviderSettings>[],
): { setting: string; problem: string }[] {
  return providers.flatMap((provider, index) => {
    const problems: { setting: string; problem: string }[] = []
    const refuse = (name: string, problem: string) =>
      problems.push({ setting: `identityProviders.${index}.${name}`, problem })
    const earlier = providers.slice(0, index)
    for (const name of ['id', 'issuer'] as const) {
      const value = provider[name]
      if (value !== undefined && earlier.some((other) => other[name] === value)) {
        refuse(name, 'is that of another provider')
      }
    }
    if (Array.isArray(provider.scopes) && !provider.scopes.includes('openid')) {
      refuse('scopes', 'must have openid among them')
    }
    if (provider.firstLogin === 'enrol' && provider.requiredAcr === undefined) {
      refuse('requiredAcr', 'must say how people authenticate where accounts are made from it')
    }
    const asksUserinfo = (provider.userinfo?.form ?? 'none') !== 'none'
    if (provider.endpoints && !provider.endpoints.userinfo && asksUserinfo) {
      refuse('endpoints.userinfo', 'is missing')
    }
    return problems
  })
}
