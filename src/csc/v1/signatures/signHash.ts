import { Type, type Static } from '@sinclair/typebox'
import { Digest } from '../../parameters.js'
import { defineCscEndpoint } from '../../services.js'
import { SignedHashes, signHash as v2 } from '../../signatures/signHash.js'
import { sadUnlessBearer } from '../../signatures/signing-request.js'

const { SAD, credentialID, signAlgo, signAlgoParams, clientData } = v2.request.properties

/** `signatures/signHash` with `hash` and `hashAlgo` (v1, 11.9). */
export const signHash = defineCscEndpoint({
  path: v2.path,
  summary: v2.summary,
  scopes: v2.scopes,
  request: Type.Object({
    ...{ SAD, credentialID },
    hash: Type.Array(Digest, { description: 'Digests to sign, each of them authorised.' }),
    hashAlgo: Type.Optional(
      Type.String({ description: 'OID, where `signAlgo` does not say the hash algorithm.' }),
    ),
    ...{ signAlgo, signAlgoParams, clientData },
  }),
  requires: sadUnlessBearer,
  response: SignedHashes,
  repeatable: v2.repeatable,
  refuses: v2.refuses,

  handle({ hash, hashAlgo, ...rest }, caller, services, headers) {
    const body = { ...rest, hashes: hash, hashAlgorithmOID: hashAlgo }
    // Without a mode to ask for, nothing is fetched later.
    return v2.invoke(body, caller, services, headers) as Promise<Static<typeof SignedHashes>>
  },
})
