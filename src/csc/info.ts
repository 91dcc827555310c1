import { Type } from '@sinclair/typebox'
import type { Config } from '../config/schema.js'
import { allowedSignAlgos } from '../keys/algorithms.js'
import { Lang } from './parameters.js'
import { defineCscEndpoint } from './services.js'

const SupportsRar = Type.Boolean({
  description: 'Whether `authorization_details` (RFC 9396) are read.',
})

const AuthorizationServer = Type.Object({
  issuerIdentifier: Type.String({ description: 'Issuer, RFC 8414.' }),
  authType: Type.Array(Type.String(), { description: 'Ways to get in that it serves.' }),
  supportsRar: SupportsRar,
})

/** What this service is and can do, from its live configuration (CSC API v2, 11.1). */
export const info = defineCscEndpoint({
  path: '/info',
  summary: 'What this service is and can do',
  scopes: [],
  request: Type.Object({ lang: Lang }),
  response: Type.Object({
    specs: Type.String({ description: 'Edition of the specification.', examples: ['2.2.0.0'] }),
    name: Type.String({ maxLength: 255, description: 'Commercial name of the service.' }),
    logo: Type.String({ description: 'Address of a picture, PNG or JPEG.' }),
    region: Type.String({ description: 'Country of establishment, ISO 3166-1 alpha-2.' }),
    lang: Type.String({ description: 'Language of this answer, RFC 5646.' }),
    description: Type.String({ maxLength: 255, description: 'What the service is for.' }),
    authType: Type.Array(Type.String(), {
      description:
        'Ways an application may get in: oauth2code for people, oauth2client for itself; basic for `auth/login`.',
    }),
    oauth2: Type.Optional(
      Type.String({ description: 'Base URI of `oauth2/authorize`, `oauth2/token` and so on.' }),
    ),
    oauth2Issuer: Type.Optional(
      Type.String({ description: 'Issuer whose metadata (RFC 8414) name the endpoints instead.' }),
    ),
    oauth2Servers: Type.Optional(
      Type.Array(AuthorizationServer, { description: 'The servers, in the place of the two.' }),
    ),
    supportsRar: Type.Optional(SupportsRar),
    asynchronousOperationMode: Type.Boolean({ description: 'Whether operationMode A is there.' }),
    methods: Type.Array(Type.String(), { description: 'Names of the methods that are on.' }),
    validationInfo: Type.Boolean({ description: 'Whether signDoc returns validation data.' }),
    supportedHashTypes: Type.Array(Type.String(), {
      description:
        'What digests to authorise may be taken over: dtbsr is the digest that is signed, sdr that of a document as it is prepared, sodr that of a document as it is.',
    }),
    signAlgorithms: Type.Object({
      algos: Type.Array(Type.String(), { description: 'OIDs of signature algorithms.' }),
      algoParams: Type.Array(Type.String(), {
        description: 'Base64 DER parameters, index by index for `algos`; empty for none.',
      }),
    }),
    signature_formats: Type.Object({
      formats: Type.Array(Type.String(), { description: 'Formats of signDoc.' }),
      envelope_properties: Type.Array(Type.Array(Type.String()), {
        description: 'Envelopes of each format, in the order of `formats`.',
      }),
      allowMix: Type.Boolean({ description: 'Whether one call may ask for several formats.' }),
      containers: Type.Array(Type.Array(Type.String()), {
        description:
          'Archives that signatures of each format go into, in the order of `formats` (extension).',
      }),
    }),
    conformance_levels: Type.Array(Type.String(), { description: 'AdES levels of signDoc.' }),
  }),

  handle(input, _caller, { config, methods, documents }) {
    const { service, baseUrl, policy } = config
    const signsDocuments = methods.includes('signatures/signDoc')
    const { formats, envelopes, containers, levels, validationInfo } = documents.capabilities
    return {
      specs: service.specs,
      name: service.name,
      logo: service.logo ?? `${baseUrl}/assets/logo.png`,
      region: service.region,
      ...described(service, input.lang),
      authType: [...(policy.authLogin ? ['basic'] : []), ...OAUTH],
      ...authorizationServer(config),
      asynchronousOperationMode: methods.includes('signatures/signPolling'),
      methods: [...methods],
      validationInfo: signsDocuments && validationInfo,
      supportedHashTypes: signsDocuments ? ['dtbsr', 'sdr', 'sodr'] : ['dtbsr'],
      signAlgorithms: (signAlgorithms ??= allowedSignAlgos()),
      signature_formats: {
        formats: [...formats],
        envelope_properties: envelopes.map((each) => [...each]),
        allowMix: formats.length > 1,
        containers: containers.map((each) => [...each]),
      },
      conformance_levels: signsDocuments ? levels.map((level) => `AdES-${level}`) : [],
    }
  },
})

/** Their parameters take a millisecond to encode, and anybody may ask for them. */
let signAlgorithms: ReturnType<typeof allowedSignAlgos> | null = null

const OAUTH = ['oauth2code', 'oauth2client']

/** Exactly one of the members that say where it is (v2.2, 11.1). */
function authorizationServer({ service, baseUrl }: Config) {
  switch (service.oauthMember) {
    case 'oauth2':
      return { oauth2: baseUrl, supportsRar: true }
    case 'oauth2Issuer':
      return { oauth2Issuer: baseUrl, supportsRar: true }
    case 'oauth2Servers': {
      const server = { issuerIdentifier: baseUrl, authType: OAUTH, supportsRar: true }
      return { oauth2Servers: [server] }
    }
  }
}

/** In the language that was asked for, where there is a text in it, else in our own. */
function described(service: Config['service'], asked = service.lang) {
  const { lang, description, descriptions } = service
  const own = { lang, description }
  const others = Object.entries(descriptions).map(([lang, description]) => ({ lang, description }))
  const [primary = asked] = asked.split('-')
  const inLanguage = (tag: string) =>
    [own, ...others].find((each) => each.lang.toLowerCase() === tag.toLowerCase())
  return inLanguage(asked) ?? inLanguage(primary) ?? own
}
