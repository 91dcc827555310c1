import { Type } from '@sinclair/typebox'
import { defineCscEndpoint } from '../../services.js'
import { V1CredentialInfo } from '../../v1/credential-info.js'
import { credentialInfo as v1 } from '../../v1/credentials/info.js'

/** `credentials/info` of v1, with `multisign` for whether there may be more than one signature. */
export const credentialInfo = defineCscEndpoint({
  path: v1.path,
  summary: v1.summary,
  scopes: v1.scopes,
  request: v1.request,
  response: Type.Object({
    ...V1CredentialInfo.properties,
    multisign: Type.Boolean({
      description: 'Whether one authorisation may cover several signatures.',
    }),
  }),
  refuses: v1.refuses,

  async handle(input, caller, services, headers) {
    const info = await v1.invoke(input, caller, services, headers)
    return { ...info, multisign: info.multisign > 1 }
  },
})
