import { X509Certificate } from 'node:crypto'
import { EC_KEY, isBase64, isOid, keyTypeOf, RSA_KEY } from '../algorithms.js'
import { objectOf, show, stringOf, stringsOf, type Answer, type Json } from '../exchange.js'
import { demand, refused, same, succeeded } from '../expectations.js'
import { requirement, type Chapter } from '../requirement.js'
import type { Subject } from '../subject.js'

const shall = { clause: 'CSC v2.0.0.2 §11.5' }
const should = { ...shall, level: 'SHOULD' } as const
const OBJECT_TYPES = ['Password', 'PasswordOOB', 'ChallengeResponse', 'ChallengeResponseOOB']
const MISSING = 'Missing (or invalid type) string parameter credentialID'

export const credentialsInfo: Chapter = {
  name: 'credentials/info',
  versions: ['v2'],
  method: 'credentials/info',
  requirements: [
    requirement('refuses to do without credentialID', shall, async (t) => {
      refused(await call(t, {}), { words: MISSING })
    }),
    ...[17, true, ['id'], { id: 'id' }].map((credentialID) =>
      requirement(`refuses ${JSON.stringify(credentialID)} for credentialID`, shall, async (t) => {
        refused(await call(t, { credentialID }), { words: MISSING })
      }),
    ),
    requirement('refuses null for credentialID like an absent one', should, async (t) => {
      refused(await call(t, { credentialID: null }), { words: MISSING })
    }),
    requirement('refuses an unknown credentialID', shall, async (t) => {
      refused(await call(t, { credentialID: 'nobody-has-this' }), {
        words: 'Invalid parameter credentialID',
      })
    }),
    requirement('refuses a credential of another person like an unknown one', shall, async (t) => {
      const { id } = await t.credential({ signer: t.otherSigner() })
      refused(await call(t, { credentialID: id }), { words: 'Invalid parameter credentialID' })
    }),
    ...['all', '', 5].map((certificates) =>
      requirement(`refuses ${JSON.stringify(certificates)} for certificates`, shall, async (t) => {
        const { id } = await t.credential()
        refused(await call(t, { credentialID: id, certificates }), {
          words: 'Invalid parameter certificates',
        })
      }),
    ),
    ...['certInfo', 'authInfo'].map((name) =>
      requirement(`refuses a text for ${name}`, should, async (t) => {
        const { id } = await t.credential()
        refused(await call(t, { credentialID: id, [name]: 'yes' }), { words: null })
      }),
    ),
    requirement('says key.status enabled or disabled', shall, async (t) => {
      await each(t, {}, (info) => {
        const status = stringOf(objectOf(info, 'key'), 'status')
        demand(['enabled', 'disabled'].includes(status), `key.status is ${status}`)
      })
    }),
    requirement('lists OIDs in key.algo', shall, async (t) => {
      await each(t, {}, (info) => {
        const algos = stringsOf(objectOf(info, 'key'), 'algo')
        demand(algos.length > 0 && algos.every(isOid), `key.algo is ${show(algos)}`)
      })
    }),
    requirement('lists signature algorithms, not only the key, in key.algo', should, async (t) => {
      await each(t, {}, (info) => {
        const algos = stringsOf(objectOf(info, 'key'), 'algo')
        demand(
          algos.some((algo) => algo !== RSA_KEY && algo !== EC_KEY),
          'it lists the key alone',
        )
      })
    }),
    requirement('names in key.algo only what info names', should, async (t) => {
      const known = stringsOf(t.info.object('signAlgorithms'), 'algos')
      await each(t, {}, (info) => {
        const algos = stringsOf(objectOf(info, 'key'), 'algo')
        same(
          algos.filter((algo) => !known.includes(algo)),
          [],
          'algorithms info does not name',
        )
      })
    }),
    requirement('lists in key.algo only what its key can do', shall, async (t) => {
      await each(t, {}, (info) => {
        const type = certificate(info).publicKey.asymmetricKeyType ?? ''
        const unfit = stringsOf(objectOf(info, 'key'), 'algo').filter(
          (algo) => keyTypeOf(algo) !== null && keyTypeOf(algo) !== type.replace(/-pss$/, ''),
        )
        same(unfit, [], `algorithms of other keys than ${type}`)
      })
    }),
    requirement('has a key for each algorithm that info names', should, async (t) => {
      let unused = stringsOf(t.info.object('signAlgorithms'), 'algos')
      for (const signer of t.target.signers.keys()) {
        if (unused.length === 0) return
        const usable = (await t.credentials(signer)).flatMap(({ algos }) => algos)
        unused = unused.filter((algo) => !usable.includes(algo))
      }
      same(unused, [], 'algorithms that no credential of the signers has')
    }),
    requirement('says key.len in bits, as the certificate has it', shall, async (t) => {
      await each(t, {}, (info) => {
        const len = objectOf(info, 'key')['len']
        demand(typeof len === 'number', `key.len is ${show(len)}`)
        const { modulusLength } = certificate(info).publicKey.asymmetricKeyDetails ?? {}
        if (modulusLength !== undefined) same(len, modulusLength, 'key.len')
      })
    }),
    requirement('names key.curve by its OID for EC keys, and for no others', shall, async (t) => {
      await each(t, {}, (info) => {
        const { curve } = objectOf(info, 'key')
        if (certificate(info).publicKey.asymmetricKeyType === 'ec') {
          demand(typeof curve === 'string' && isOid(curve), `key.curve is ${show(curve)}`)
        } else demand(curve === undefined, `key.curve is ${show(curve)}`)
      })
    }),
    requirement('says a cert.status that exists, if any', shall, async (t) => {
      await each(t, {}, (info) => {
        const status = objectOf(info, 'cert')['status'] ?? 'valid'
        demand(
          ['valid', 'expired', 'revoked', 'suspended'].includes(status as string),
          show(status),
        )
      })
    }),
    requirement('gives the signing certificate when certificates is absent', shall, async (t) => {
      await each(t, {}, (info) => {
        same(stringsOf(objectOf(info, 'cert'), 'certificates').length, 1, 'certificates')
      })
    }),
    requirement('gives no certificate for none', shall, async (t) => {
      await each(t, { certificates: 'none' }, (info) => {
        demand(!('certificates' in objectOf(info, 'cert')), 'it gives one')
      })
    }),
    requirement('gives a chain in which each is signed by the next', shall, async (t) => {
      await each(t, { certificates: 'chain' }, (info) => {
        const chain = stringsOf(objectOf(info, 'cert'), 'certificates').map(parse)
        chain.slice(1).forEach((issuer, index) => {
          demand(chain[index]?.verify(issuer.publicKey) ?? false, `certificate ${index} is not`)
        })
      })
    }),
    requirement(
      'gives certificates in plain Base64',
      { clause: 'CSC v2.0.0.2 §7.5' },
      async (t) => {
        await each(t, { certificates: 'chain' }, (info) => {
          demand(stringsOf(objectOf(info, 'cert'), 'certificates').every(isBase64), 'it does not')
        })
      },
    ),
    requirement('gives no names unless certInfo is true', shall, async (t) => {
      await each(t, {}, (info) => {
        demand(!('subjectDN' in objectOf(info, 'cert')), 'it has subjectDN')
      })
    }),
    requirement(
      'gives the serial number in hexadecimal, as the certificate has it',
      shall,
      async (t) => {
        await each(t, { certInfo: true }, (info) => {
          const told = stringOf(objectOf(info, 'cert'), 'serialNumber')
          demand(/^[0-9A-Fa-f]+$/.test(told), `serialNumber is ${told}`)
          same(hex(told), hex(certificate(info).serialNumber), 'serialNumber')
        })
      },
    ),
    requirement('gives dates as GeneralizedTime, as the certificate has them', shall, async (t) => {
      await each(t, { certInfo: true }, (info) => {
        const cert = objectOf(info, 'cert')
        const { validFrom, validTo } = certificate(info)
        same(stringOf(cert, 'validFrom'), generalized(validFrom), 'validFrom')
        same(stringOf(cert, 'validTo'), generalized(validTo), 'validTo')
      })
    }),
    requirement('gives issuer and subject as RFC 4514 text', shall, async (t) => {
      await each(t, { certInfo: true }, (info) => {
        for (const name of ['issuerDN', 'subjectDN']) {
          const dn = stringOf(objectOf(info, 'cert'), name)
          demand(/^[A-Za-z0-9.]+=.*/.test(dn) && !dn.includes('\n'), `${name} is ${dn}`)
        }
      })
    }),
    requirement('says an auth.mode that exists', shall, async (t) => {
      await each(t, {}, (info) => {
        const mode = stringOf(objectOf(info, 'auth'), 'mode')
        demand(['explicit', 'oauth2code'].includes(mode), `auth.mode is ${mode}`)
      })
    }),
    requirement('describes authentication objects of kinds that exist', shall, async (t) => {
      await explicit(t, (auth) => {
        for (const object of auth['objects'] as Json[]) {
          demand(OBJECT_TYPES.includes(stringOf(object, 'type')), `type is ${show(object['type'])}`)
          stringOf(object, 'id')
        }
      })
    }),
    requirement('describes formats of authentication objects by A or N', shall, async (t) => {
      await explicit(t, (auth) => {
        for (const { format = 'A' } of auth['objects'] as Json[]) {
          demand(format === 'A' || format === 'N', `format is ${show(format)}`)
        }
      })
    }),
    requirement('has in auth.expression nothing but objects and operators', shall, async (t) => {
      await explicit(t, (auth) => {
        const ids = (auth['objects'] as Json[]).map(({ id }) => id)
        const words =
          (typeof auth['expression'] === 'string' ? auth['expression'] : '').match(/\w+/g) ?? []
        const unknown = words.filter((word) => !['AND', 'OR', 'XOR', ...ids].includes(word))
        same(unknown, [], 'unknown words')
      })
    }),
    requirement('has no auth.expression unless the mode is explicit', shall, async (t) => {
      await each(t, { authInfo: true }, (info) => {
        const auth = objectOf(info, 'auth')
        if (auth['mode'] !== 'explicit') demand(!('expression' in auth), 'it has')
      })
    }),
    requirement('says SCAL as the text 1 or 2', shall, async (t) => {
      await each(t, {}, ({ SCAL = '1' }) => {
        demand(SCAL === '1' || SCAL === '2', `SCAL is ${show(SCAL)}`)
      })
    }),
    requirement('says multisign as a number of at least 1', shall, async (t) => {
      await each(t, {}, ({ multisign }) => {
        demand(Number.isInteger(multisign) && Number(multisign) >= 1, `it is ${show(multisign)}`)
      })
    }),
    requirement('uses none of the names of v1', shall, async (t) => {
      await each(t, { authInfo: true }, (info) => {
        const old = ['authMode', 'PIN', 'OTP'].filter((name) => name in info)
        same(old, [], 'names of v1')
      })
    }),
    requirement('has a certificate that can sign', should, async (t) => {
      await each(t, {}, (info) => {
        demand(!certificate(info).ca, 'the certificate is that of an authority')
      })
    }),
    requirement('takes clientData and lang', shall, async (t) => {
      const { id } = await t.credential()
      succeeded(await call(t, { credentialID: id, clientData: 'order 17', lang: 'en' }))
    }),
    requirement('is opened by a credential token for its own credential', shall, async (t) => {
      const { bearer, credential } = await t.unspent()
      if (credential.mode !== 'oauth2code') t.notApplicable('there are no credential tokens')
      succeeded(await t.call('credentials/info', { credentialID: credential.id }, bearer))
    }),
    requirement('is not opened by a credential token for another credential', shall, async (t) => {
      const { bearer, credential } = await t.unspent()
      if (credential.mode !== 'oauth2code') t.notApplicable('there are no credential tokens')
      const other = (await t.credentials()).find(({ id }) => id !== credential.id)
      if (!other) return t.skip('the signer has one credential only')
      const answer = await t.call('credentials/info', { credentialID: other.id }, bearer)
      refused(answer, {
        status: [400, 401, 403],
        error: ['invalid_request', 'invalid_token', 'insufficient_scope'],
        words: null,
      })
    }),
  ],
}

async function call(t: Subject, body: Json): Promise<Answer> {
  return t.call('credentials/info', body, await t.serviceToken())
}

/** Looks at every credential of the first signer; answers are asked for once per kind of request. */
async function each(t: Subject, detail: Json, look: (info: Json) => void): Promise<void> {
  const known = await t.credentials()
  demand(known.length > 0, 'the signer has no credentials')
  for (const { id } of known) {
    const name = `info ${id} ${JSON.stringify(detail)}`
    const answer = await t.kept(name, Infinity, () => call(t, { credentialID: id, ...detail }))
    look(succeeded(answer).json ?? {})
  }
}

async function explicit(t: Subject, look: (auth: Json) => void): Promise<void> {
  await t.credential({ mode: 'explicit' })
  await each(t, { authInfo: true }, (info) => {
    const auth = objectOf(info, 'auth')
    if (auth['mode'] === 'explicit') look(auth)
  })
}

function certificate(info: Json): X509Certificate {
  const [leaf = ''] = stringsOf(objectOf(info, 'cert'), 'certificates')
  return parse(leaf)
}

function parse(der: string): X509Certificate {
  return new X509Certificate(Buffer.from(der, 'base64'))
}

function generalized(date: string): string {
  return new Date(date).toISOString().replace(/[-:T]|\.\d+/g, '')
}

/** Without regard to case and leading zeros. */
function hex(number: string): string {
  return BigInt(`0x${number}`).toString(16)
}
