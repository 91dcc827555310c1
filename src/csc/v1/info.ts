import { Type } from '@sinclair/typebox'
import { info as v2 } from '../info.js'
import { defineCscEndpoint } from '../services.js'

const { name, logo, region, lang, description, authType, methods } = v2.response.properties

/** `info` with no more than v1 knows (11.1). */
export const infoOf = (version: { specs: string; base: string }) =>
  defineCscEndpoint({
    path: v2.path,
    summary: v2.summary,
    scopes: v2.scopes,
    request: v2.request,
    response: Type.Object({
      specs: Type.String({ description: 'Edition of the specification.' }),
      ...{ name, logo, region, lang, description, authType },
      oauth2: Type.String({ description: 'Base URI of `oauth2/authorize` and the others.' }),
      methods,
    }),

    async handle(input, caller, services, headers) {
      const { name, logo, region, lang, description, authType, methods } = await v2.invoke(
        ...[input, caller, services, headers],
      )
      return {
        specs: version.specs,
        ...{ name, logo, region, lang, description, authType },
        oauth2: services.config.baseUrl + version.base,
        methods,
      }
    },
  })
