import { newDocument, type Document } from '../algorithms.js'
import { Answer, stringOf, type Json } from '../exchange.js'
import type { KnownCredential } from '../credential-view.js'
import { demand, same, succeeded } from '../expectations.js'
import { newPkce, type Changes } from '../oauth-client.js'
import { NotApplicable } from '../outcome.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import { codeOf, type Authorised, type Subject } from '../subject.js'

const RAR = { clause: 'CSC v2.0.0.2 §8.4.2; RFC 9396' }
const should = { ...RAR, level: 'SHOULD' } as const
const TYPE_2_2 = 'https://cloudsignatureconsortium.org/2025/credential'

export const authorizationDetails: Chapter = {
  name: 'authorization_details',
  versions: ['v2'],
  precondition: async (t) => {
    await t.credential({ mode: 'oauth2code' })
    const servers = t.info.get('oauth2Servers')
    const inServers =
      Array.isArray(servers) && servers.some((each: Json) => each['supportsRar'] === true)
    const old = t.info.get('specs') === '2.0.0.0' || t.info.get('specs') === '2.0.0.2'
    if (t.info.get('supportsRar') !== true && !inServers && !old) {
      throw new NotApplicable('info does not say supportsRar')
    }
  },
  requirements: [
    requirement('lead to a token that signs', RAR, async (t) => {
      const { token, credential, documents } = await approvedDetails(t)
      const [first] = documents
      if (!first) return
      const algorithm = t.algorithmFor(credential, first)
      const authorised = { credential, documents, bearer: token, SAD: null, algorithm }
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('bind the token to their digests', RAR, async (t) => {
      const { token, credential, documents } = await approvedDetails(t)
      const [first] = documents
      if (!first) return
      const algorithm = t.algorithmFor(credential, first)
      const other = [newDocument(first.hash)]
      const answer = await t.sign({
        credential,
        documents: other,
        bearer: token,
        SAD: null,
        algorithm,
      })
      same(answer.status, 400, 'status')
    }),
    requirement('come back in the token answer as they were approved', RAR, async (t) => {
      const { answer, credential, documents } = await approvedDetails(t)
      const [detail, ...more] = answer.objects('authorization_details')
      demand(detail !== undefined && more.length === 0, 'there is not exactly one entry')
      same(stringOf(detail, 'credentialID'), credential.id, 'credentialID')
      same(stringOf(detail, 'hashAlgorithmOID'), documents[0]?.hash.oid, 'hashAlgorithmOID')
      const digests = detail['documentDigests'] as Json[]
      same(
        digests.map(({ hash }) => hash),
        documents.map(({ base64 }) => base64),
        'hashes',
      )
    }),
    requirement(
      'come back with numSignatures',
      { clause: 'CSC v2.2.0.0 §8.2.4', level: 'SHOULD' },
      async (t) => {
        const { answer, documents } = await approvedDetails(t)
        same(
          answer.objects('authorization_details')[0]?.['numSignatures'],
          documents.length,
          'numSignatures',
        )
      },
    ),
    requirement('come back with the labels that were sent', RAR, async (t) => {
      const { answer } = await approvedDetails(t)
      const [detail] = answer.objects('authorization_details')
      same(
        (detail?.['documentDigests'] as Json[] | undefined)?.[0]?.['label'],
        'Document 1',
        'label',
      )
    }),
    requirement('make scope unnecessary', RAR, async (t) => {
      demand((await openDetails(t, {}, { scope: null })) instanceof Answer, 'it was refused')
    }),
    requirement('may stand beside scope credential', should, async (t) => {
      demand(
        (await openDetails(t, {}, { scope: 'credential' })) instanceof Answer,
        'it was refused',
      )
    }),
    requirement(
      'of the type of v2.2 are known from v2.2 on',
      { clause: 'CSC v2.2.0.0 §8.2.2' },
      async (t) => {
        if (!t.info.string('specs').startsWith('2.2')) t.notApplicable('an earlier edition')
        const told = await openDetails(t, { type: TYPE_2_2, numSignatures: 1 })
        demand(told instanceof Answer, 'it was refused')
      },
    ),
    requirement(
      'may have hashType DTBSR in either case',
      { clause: 'CSC v2.2.0.0 §8.2.2', level: 'SHOULD' },
      async (t) => {
        const { base64: hash } = newDocument()
        for (const hashType of ['dtbsr', 'DTBSR']) {
          const told = await openDetails(t, { documentDigests: [{ hash, hashType }] })
          demand(told instanceof Answer, `${hashType} was refused`)
        }
      },
    ),
    ...row('are no JSON', '{'),
    ...row('are no list', '{"type":"credential"}'),
    ...row('are an empty list', '[]'),
    ...row('have an unknown type', { type: 'payment' }),
    ...row('have no type', { type: undefined }),
    ...row('have no documentDigests', { documentDigests: undefined }),
    ...row('have an empty list of documentDigests', { documentDigests: [] }),
    ...row('have a text for documentDigests', { documentDigests: 'x' }),
    ...row('have a digest without hash', { documentDigests: [{ label: 'x' }] }),
    ...row('have a hash that is no Base64', { documentDigests: [{ hash: '*' }] }),
    ...row('have a hash of 31 bytes', {
      documentDigests: [{ hash: Buffer.alloc(31).toString('base64') }],
    }),
    ...row('have no hashAlgorithmOID', { hashAlgorithmOID: undefined }),
    ...row('have an unknown hashAlgorithmOID', { hashAlgorithmOID: '1.2.3' }),
    ...row('have SHA-1 for hashAlgorithmOID', { hashAlgorithmOID: '1.3.14.3.2.26' }),
    ...row('name neither credentialID nor signatureQualifier', { credentialID: undefined }),
    ...row('have an unknown signatureQualifier', { signatureQualifier: 'xx_none' }),
    ...row('have fewer signatures than digests', { numSignatures: 0 }),
    ...parameterRow('credentialID', 'x'),
    ...parameterRow('numSignatures', '1'),
    ...parameterRow('hashes', newDocument().base64url),
    ...parameterRow('hashAlgorithmOID', newDocument().hash.oid),
    requirement('are refused beside scope service', should, async (t) => {
      toldRefusal(await openDetails(t, {}, { scope: 'service' }))
    }),
    requirement('may be left out at the token endpoint', RAR, async (t) => {
      const { answer } = await approvedDetails(t)
      succeeded(answer)
    }),
    requirement('may be repeated at the token endpoint', RAR, async (t) => {
      const { code, code_verifier, text } = await approvedCode(t)
      succeeded(await t.redeem(code, code_verifier, { authorization_details: text }))
    }),
    requirement('may be repeated in another order and alphabet of Base64', should, async (t) => {
      const { code, code_verifier, detail } = await approvedCode(t)
      const digests = (detail['documentDigests'] as { hash: string }[]).map((each) => ({
        ...each,
        hash: Buffer.from(each.hash, 'base64').toString('base64url'),
      }))
      const again = Object.fromEntries(
        Object.entries({ ...detail, documentDigests: digests }).reverse(),
      )
      const authorization_details = JSON.stringify([again])
      succeeded(await t.redeem(code, code_verifier, { authorization_details }))
    }),
    requirement('are refused at the token endpoint when they ask for more', RAR, async (t) => {
      const { code, code_verifier, detail } = await approvedCode(t)
      const more = { ...detail, documentDigests: [{ hash: newDocument().base64 }] }
      const answer = await t.redeem(code, code_verifier, {
        authorization_details: JSON.stringify([more]),
      })
      same([answer.status, answer.get('error')], [400, 'invalid_grant'], 'status and error')
    }),
    requirement('name the credential that was chosen for a signatureQualifier', RAR, async (t) => {
      const qualified = (await t.credentials()).find(
        ({ raw, mode }) => raw['signatureQualifier'] && mode === 'oauth2code',
      )
      if (!qualified) return t.notApplicable('no credential has a signatureQualifier')
      const changes = {
        credentialID: undefined,
        signatureQualifier: qualified.raw['signatureQualifier'],
      }
      const { answer } = await approvedDetails(t, changes)
      stringOf(answer.objects('authorization_details')[0] ?? {}, 'credentialID')
    }),
  ],
}

function detailFor(
  credential: KnownCredential,
  documents: readonly Document[],
  changes: Json = {},
): Json {
  return {
    type: 'credential',
    credentialID: credential.id,
    documentDigests: documents.map(({ base64: hash }, index) => ({
      hash,
      label: `Document ${index + 1}`,
    })),
    hashAlgorithmOID: documents[0]?.hash.oid,
    ...changes,
  }
}

/** What was approved by details that say what the digests are taken over. */
export async function approvedAs(
  t: Subject,
  hashType: string,
  credential: KnownCredential,
  document: Document,
): Promise<Authorised> {
  const changes = { documentDigests: [{ hash: document.base64, hashType }] }
  const { code, code_verifier } = await approvedCode(t, changes, { credential, document })
  const bearer = succeeded(await t.redeem(code, code_verifier)).string('access_token')
  const algorithm = t.algorithmFor(credential, document)
  return { credential, documents: [document], bearer, SAD: null, algorithm }
}

async function approvedCode(
  t: Subject,
  changes: Json = {},
  about: { readonly credential?: KnownCredential; readonly document?: Document } = {},
) {
  const credential = about.credential ?? (await t.credential({ mode: 'oauth2code' }))
  const documents = about.document ? [about.document] : t.documentsFor(credential)
  const { code_verifier, code_challenge } = newPkce()
  const detail = detailFor(credential, documents, changes)
  const text = JSON.stringify([detail])
  const request = t.request({ scope: null, code_challenge, authorization_details: text })
  const code = codeOf(await t.authorize(request))
  return { credential, documents, detail, text, code, code_verifier }
}

/** Approved once for all cases that look at the answer. */
function approvedDetails(t: Subject, changes: Json = {}) {
  return t.kept(`details ${JSON.stringify(changes)}`, 240, async () => {
    const { credential, documents, code, code_verifier } = await approvedCode(t, changes)
    const answer = succeeded(await t.redeem(code, code_verifier))
    return { credential, documents, answer, token: answer.string('access_token') }
  })
}

async function openDetails(t: Subject, changes: Json | string, more: Changes = {}) {
  const credential = await t.credential({ mode: 'oauth2code' })
  const documents = [newDocument()]
  const text =
    typeof changes === 'string'
      ? changes
      : JSON.stringify([detailFor(credential, documents, changes)])
  return t.open(t.request({ scope: null, authorization_details: text, ...more }))
}

function row(what: string, changes: Json | string): Requirement[] {
  return [
    requirement(`are refused when they ${what}`, RAR, async (t) => {
      toldRefusal(await openDetails(t, changes))
    }),
  ]
}

function parameterRow(name: string, value: string): Requirement[] {
  return [
    requirement(`are refused beside the parameter ${name}`, RAR, async (t) => {
      toldRefusal(await openDetails(t, {}, { [name]: value }))
    }),
  ]
}

function toldRefusal(told: Answer | URLSearchParams): void {
  if (told instanceof Answer) demand(false, `no refusal, but a page with status ${told.status}`)
  else {
    const error = told.get('error') ?? ''
    const fits = ['invalid_request', 'invalid_authorization_details', 'invalid_scope'].includes(
      error,
    )
    demand(fits && !told.has('code'), `told was ${told.toString()}`)
  }
}
