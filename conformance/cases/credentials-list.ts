import { X509Certificate } from 'node:crypto'
import { isBase64 } from '../algorithms.js'
import { objectOf, stringOf, stringsOf, type Answer, type Json } from '../exchange.js'
import { demand, refused, same, succeeded } from '../expectations.js'
import { requirement, type Chapter } from '../requirement.js'
import type { Subject } from '../subject.js'

const shall = { clause: 'CSC v2.0.0.2 §11.4' }
const should = { ...shall, level: 'SHOULD' } as const

export const credentialsList: Chapter = {
  name: 'credentials/list',
  versions: ['v2'],
  method: 'credentials/list',
  requirements: [
    requirement('answers the list credentialIDs', shall, async (t) => {
      const ids = (await list(t)).strings('credentialIDs')
      same(new Set(ids).size, ids.length, 'number of different ids')
    }),
    requirement('has no credentialInfos unless they are asked for', shall, async (t) => {
      demand(!(await list(t)).has('credentialInfos'), 'it has')
    }),
    requirement('has no credentialInfos with credentialInfo false', shall, async (t) => {
      demand(!(await list(t, { credentialInfo: false })).has('credentialInfos'), 'it has')
    }),
    requirement('describes each credential, in order, with credentialInfo', shall, async (t) => {
      const answer = await list(t, { credentialInfo: true })
      const ids = answer.objects('credentialInfos').map((each) => stringOf(each, 'credentialID'))
      same(ids, answer.strings('credentialIDs'), 'ids of credentialInfos')
    }),
    requirement('gives the signing certificate when certificates is absent', shall, async (t) => {
      for (const cert of await certs(t))
        same(stringsOf(cert, 'certificates').length, 1, 'certificates')
    }),
    requirement('gives no certificate for none', shall, async (t) => {
      for (const cert of await certs(t, { certificates: 'none' })) {
        demand(!('certificates' in cert), 'it has certificates')
      }
    }),
    requirement('gives the signing certificate for single', shall, async (t) => {
      for (const cert of await certs(t, { certificates: 'single' })) {
        same(stringsOf(cert, 'certificates').length, 1, 'number of certificates')
      }
    }),
    requirement('gives the chain, signing certificate first, for chain', shall, async (t) => {
      const singles = await certs(t, { certificates: 'single' })
      const chains = await certs(t, { certificates: 'chain' })
      chains.forEach((cert, index) => {
        const chain = stringsOf(cert, 'certificates')
        same(chain[0], stringsOf(singles[index] ?? {}, 'certificates')[0], 'first certificate')
        for (const der of chain) new X509Certificate(Buffer.from(der, 'base64'))
      })
    }),
    requirement(
      'gives certificates in plain Base64, in one line',
      { clause: 'CSC v2.0.0.2 §7.5' },
      async (t) => {
        for (const cert of await certs(t)) {
          demand(stringsOf(cert, 'certificates').every(isBase64), 'not plain Base64')
        }
      },
    ),
    requirement('gives no names of the certificate unless asked for', shall, async (t) => {
      for (const cert of await certs(t)) demand(!('subjectDN' in cert), 'it has subjectDN')
    }),
    requirement('gives names, number and dates with certInfo', shall, async (t) => {
      for (const cert of await certs(t, { certInfo: true })) {
        for (const name of ['issuerDN', 'serialNumber', 'subjectDN', 'validFrom', 'validTo']) {
          stringOf(cert, name)
        }
      }
    }),
    requirement(
      'takes no notice of certificates and certInfo without credentialInfo',
      shall,
      async (t) => {
        demand(
          !(await list(t, { certificates: 'chain', certInfo: true })).has('credentialInfos'),
          'it does',
        )
      },
    ),
    requirement('gives the mode of authorization also without authInfo', shall, async (t) => {
      for (const each of await infos(t)) stringOf(objectOf(each, 'auth'), 'mode')
    }),
    requirement('gives expression and objects only with authInfo', shall, async (t) => {
      for (const each of await infos(t)) {
        const auth = objectOf(each, 'auth')
        demand(!('expression' in auth) && !auth['objects'], 'they are there without')
      }
    }),
    requirement('gives the objects of explicit credentials with authInfo', shall, async (t) => {
      for (const each of await infos(t, { authInfo: true })) {
        const auth = objectOf(each, 'auth')
        if (auth['mode'] === 'explicit') demand(Array.isArray(auth['objects']), 'no objects')
      }
    }),
    requirement('says onlyValid when it left unusable ones out', shall, async (t) => {
      const answer = await list(t, { onlyValid: true, credentialInfo: true })
      if (answer.get('onlyValid') !== true) t.notApplicable('the filter is not supported')
      for (const each of answer.objects('credentialInfos')) {
        same(objectOf(each, 'key')['status'], 'enabled', 'key.status')
      }
    }),
    requirement('does not say onlyValid when it was not asked', shall, async (t) => {
      demand((await list(t)).get('onlyValid') !== true, 'it does')
    }),
    requirement('refuses userID where the token says who it is', shall, async (t) => {
      const answer = await call(t, { userID: 'somebody' })
      refused(answer, { words: 'userID parameter MUST be null' })
    }),
    requirement('takes an empty userID for none', should, async (t) => {
      succeeded(await call(t, { userID: '' }))
    }),
    requirement('refuses a userID that is no text', shall, async (t) => {
      refused(await call(t, { userID: 7 }), {
        words: ['Invalid parameter userID', 'userID parameter MUST be null'],
      })
    }),
    ...(['all', '', 'CHAIN', true, 1] as const).map((certificates) =>
      requirement(`refuses ${JSON.stringify(certificates)} for certificates`, shall, async (t) => {
        refused(await call(t, { credentialInfo: true, certificates }), {
          words: 'Invalid parameter certificates',
        })
      }),
    ),
    requirement('refuses a text for credentialInfo', should, async (t) => {
      refused(await call(t, { credentialInfo: 'true' }), { words: null })
    }),
    requirement('takes clientData', shall, async (t) => {
      await list(t, { clientData: 'order 17' })
    }),
    requirement('takes a language it may not have', shall, async (t) => {
      await list(t, { lang: 'tlh' })
    }),
    requirement('ignores maxResults and pageToken, which v2 does not know', should, async (t) => {
      const paged = await list(t, { maxResults: 1, pageToken: 'x' })
      same(
        paged.strings('credentialIDs'),
        (await list(t)).strings('credentialIDs'),
        'credentialIDs',
      )
    }),
    requirement('has no nextPageToken, which v2 does not know', should, async (t) => {
      demand(!(await list(t)).has('nextPageToken'), 'it has')
    }),
    requirement('describes a credential as credentials/info does', shall, async (t) => {
      t.needs('credentials/info')
      const detail = { certificates: 'chain', certInfo: true, authInfo: true }
      const token = await t.serviceToken()
      for (const each of await infos(t, detail)) {
        const { credentialID } = each
        const answer = await t.call('credentials/info', { credentialID, ...detail }, token)
        const known = { ...succeeded(answer).json, credentialID }
        same(sorted(known), sorted(each), 'credentials/info')
      }
    }),
    requirement('lists nothing of another person', { clause: 'CSC v2.0.0.2 §8.1' }, async (t) => {
      const own = (await list(t)).strings('credentialIDs')
      const token = await t.serviceToken(t.otherSigner())
      const others = succeeded(await t.call('credentials/list', {}, token)).strings('credentialIDs')
      same(
        own.filter((id) => others.includes(id)),
        [],
        'credentials that both see',
      )
    }),
    requirement(
      'is not opened by a credential token',
      { clause: 'CSC v2.0.0.2 §8.4.4' },
      async (t) => {
        const { bearer, credential } = await t.unspent()
        if (credential.mode !== 'oauth2code') t.notApplicable('there are no credential tokens')
        refused(await t.call('credentials/list', {}, bearer), {
          status: [400, 401, 403],
          error: ['insufficient_scope', 'unauthorized_client', 'invalid_token', 'invalid_scope'],
          words: null,
        })
      },
    ),
  ],
}

async function call(t: Subject, body: Json): Promise<Answer> {
  return t.call('credentials/list', body, await t.serviceToken())
}

async function list(t: Subject, body: Json = {}): Promise<Answer> {
  return succeeded(await call(t, body))
}

async function infos(t: Subject, body: Json = {}): Promise<Json[]> {
  const answer = await list(t, { credentialInfo: true, ...body })
  const all = answer.objects('credentialInfos')
  demand(all.length > 0, 'the signer has no credentials')
  return all
}

async function certs(t: Subject, body: Json = {}): Promise<Json[]> {
  return (await infos(t, body)).map((each) => objectOf(each, 'cert'))
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]))
}
