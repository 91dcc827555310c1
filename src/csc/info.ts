import { Type } from '@sinclair/typebox'
import { allowedSignAlgos } from '../keys/algorithms.js'
import { Lang } from './parameters.js'
import { defineCscEndpoint } from './services.js'

/** What this service is and can do, from its live configuration (CSC API v2, 11.1). */
export const info = defineCscEndpoint({
  path: '/info',
  scopes: [],
  request: Type.Object({ lang: Lang }),
  response: Type.Object({
    specs: Type.String(),
    name: Type.String({ maxLength: 255 }),
    logo: Type.String(),
    region: Type.String(),
    lang: Type.String(),
    description: Type.String({ maxLength: 255 }),
    authType: Type.Array(Type.String()),
    oauth2: Type.String(),
    supportsRar: Type.Boolean(),
    asynchronousOperationMode: Type.Boolean(),
    methods: Type.Array(Type.String()),
    validationInfo: Type.Boolean(),
    supportedHashTypes: Type.Array(Type.String()),
    signAlgorithms: Type.Object({
      algos: Type.Array(Type.String()),
      algoParams: Type.Array(Type.String()),
    }),
    signature_formats: Type.Object({
      formats: Type.Array(Type.String()),
      envelope_properties: Type.Array(Type.Array(Type.String())),
    }),
    conformance_levels: Type.Array(Type.String()),
  }),

  handle(_input, _caller, { config: { service, baseUrl }, methods }) {
    return {
      specs: service.specs,
      name: service.name,
      logo: service.logo ?? `${baseUrl}/assets/logo.png`,
      region: service.region,
      lang: service.lang,
      description: service.description,
      authType: ['oauth2code', 'oauth2client'],
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
