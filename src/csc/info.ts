import { Type } from '@sinclair/typebox'
import { allowedSignAlgos } from '../keys/algorithms.js'
import { Lang } from './parameters.js'
import { defineCscEndpoint } from './services.js'

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
    oauth2: Type.String({
      description: 'Base URI of `oauth2/authorize`, `oauth2/token` and so on.',
    }),
    supportsRar: Type.Boolean({
      description: 'Whether `authorization_details` (RFC 9396) are read.',
    }),
    asynchronousOperationMode: Type.Boolean({ description: 'Whether operationMode A is there.' }),
    methods: Type.Array(Type.String(), { description: 'Names of the methods that are on.' }),
    validationInfo: Type.Boolean({ description: 'Whether signDoc returns validation data.' }),
    supportedHashTypes: Type.Array(Type.String(), {
      description: 'What may be shown to the signer: dtbsr is the digest that is signed.',
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
    }),
    conformance_levels: Type.Array(Type.String(), { description: 'AdES levels of signDoc.' }),
  }),

  handle(_input, _caller, { config: { service, baseUrl, policy }, methods }) {
    return {
      specs: service.specs,
      name: service.name,
      logo: service.logo ?? `${baseUrl}/assets/logo.png`,
      region: service.region,
      lang: service.lang,
      description: service.description,
      authType: [...(policy.authLogin ? ['basic'] : []), 'oauth2code', 'oauth2client'],
      oauth2: baseUrl,
      supportsRar: true,
      asynchronousOperationMode: false,
      methods: [...methods],
      validationInfo: false,
      supportedHashTypes: ['dtbsr'],
      signAlgorithms: allowedSignAlgos(),
      signature_formats: { formats: [], envelope_properties: [] },
      conformance_levels: [],
    }
  },
})
