import { Type } from '@sinclair/typebox'
import { extendTransaction as v2 } from '../../credentials/extendTransaction.js'
import { Digest } from '../../parameters.js'
import { defineCscEndpoint } from '../../services.js'
import { asHashes } from '../hashes.js'

const { credentialID, SAD, clientData } = v2.request.properties

/** `credentials/extendTransaction` with `hash` (v1, 11.7). */
export const extendTransaction = defineCscEndpoint({
  path: v2.path,
  summary: v2.summary,
  scopes: v2.scopes,
  request: Type.Object({
    credentialID,
    hash: Type.Optional(
      Type.Array(Digest, { description: 'Digests still to be signed; required at SCAL 2.' }),
    ),
    ...{ SAD, clientData },
  }),
  response: v2.response,
  refuses: v2.refuses,

  handle({ hash, ...rest }, caller, services, headers) {
    return v2.invoke({ ...rest, ...asHashes(hash) }, caller, services, headers)
  },
})
