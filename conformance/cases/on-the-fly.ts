import { newDocument, type Document } from '../algorithms.js'
import { verifyAdes } from '../ades-signature.js'
import { readCredential, type KnownCredential } from '../credential-view.js'
import { Answer, stringsOf, type Json } from '../exchange.js'
import { demand, refused, refusedSomehow, same, succeeded } from '../expectations.js'
import { newPkce } from '../oauth-client.js'
import { kindFor, newDocumentOf } from '../document-kinds.js'
import { requirement, type Chapter } from '../requirement.js'
import { codeOf, type Subject } from '../subject.js'

const SCOPE = { clause: 'CSC v2.0.0.2 §8.4.2' }
const ANSWER = { clause: 'CSC v2.0.0.2 §8.4.4' }
const RAR = { clause: 'CSC v2.0.0.2 §8.4.2, RFC 9396 §7' }
const DOC = { clause: 'CSC v2.0.0.2 §11.11' }
const INFO = { clause: 'CSC v2.0.0.2 §11.5' }
const DETAIL = { certificates: 'chain', certInfo: true }

/** Credentials that are made while their signer agrees: a kind of signature is asked for, and nobody's key. */
export const onTheFly: Chapter = {
  name: 'credentials made on the fly',
  versions: ['v2'],
  method: 'signatures/signDoc',
  precondition: (t) => {
    if (!t.target.onTheFly) t.notApplicable('the configuration names no signatureQualifier')
  },
  requirements: [
    requirement(
      'an authorization request for a kind of signature needs hashes',
      SCOPE,
      async (t) => {
        const told = await t.open(requested(t, newDocument(), { hashes: null }))
        if (told instanceof Answer) demand(false, `no refusal, but a page with ${told.status}`)
        else
          same([told.get('error'), told.has('code')], ['invalid_request', false], 'error and code')
      },
    ),
    requirement(
      'the token answer names the credential',
      { ...ANSWER, level: 'SHOULD' },
      async (t) => {
        const { answer, listed } = await approved(t)
        const id = answer.string('credentialID')
        demand(id !== '' && !listed.includes(id), 'it was there before, or is empty')
      },
    ),
    requirement('authorization_details of the token answer name the credential', RAR, async (t) => {
      if (t.info.get('supportsRar') !== true) t.notApplicable('no authorization_details')
      const { detail } = await details(t)
      demand(typeof detail['credentialID'] === 'string' && detail['credentialID'] !== '', 'no')
      same(detail['signatureQualifier'], kind(t), 'signatureQualifier')
    }),
    requirement('its token opens credentials/info, which says its kind', INFO, async (t) => {
      const { credential } = await agreed(t)
      same(credential.raw['signatureQualifier'], kind(t), 'signatureQualifier')
      demand(credential.certificates.length > 0, 'there is no certificate')
      same(credential.enabled, true, 'whether its key is enabled')
    }),
    requirement('signs the document without a credentialID', DOC, async (t) => {
      const { token, document, credential } = await agreed(t)
      const answer = succeeded(await sign(t, token, credential, document))
      const [signed = ''] = stringsOf(answer.json ?? {}, 'DocumentWithSignature')
      const [certificate] = credential.certificates
      demand(certificate !== undefined, 'there is no certificate')
      const algorithm = t.algorithmFor(credential, document)
      verifyAdes(format(t), signed, { document, certificate, algorithm, byDigest: false })
      refusedSomehow(await sign(t, token, credential, document))
    }),
    requirement('signs no other document', DOC, async (t) => {
      const { token, document, credential } = await agreed(t)
      const other = newDocumentOf(kindFor(format(t)), document.hash)
      refused(await sign(t, token, credential, other), {
        status: [403, 400],
        error: ['invalid_hash', 'invalid_request'],
        words: null,
      })
      succeeded(await sign(t, token, credential, document))
    }),
    requirement('signs for no other kind of signature', DOC, async (t) => {
      const { token, document, credential } = await agreed(t)
      const other = {
        signatureQualifier: kind(t) === 'za_ecta_oes' ? 'eu_eidas_aes' : 'za_ecta_oes',
      }
      refusedSomehow(await sign(t, token, credential, document, other))
      succeeded(await sign(t, token, credential, document))
    }),
    requirement('signs with no other credential', DOC, async (t) => {
      const { token, document, credential } = await agreed(t)
      const { id: credentialID } = await t.credential({ mode: 'oauth2code' })
      refusedSomehow(await sign(t, token, credential, document, { credentialID }))
      succeeded(await sign(t, token, credential, document))
    }),
  ],
}

function kind({ target }: Subject): string {
  return target.onTheFly ?? ''
}

function format(t: Subject): string {
  const [first = 'C'] = stringsOf(t.info.object('signature_formats'), 'formats')
  return first
}

function requested(t: Subject, { base64url, hash }: Document, changes = {}) {
  return t.request({
    ...{ scope: 'credential', signatureQualifier: kind(t), numSignatures: '1' },
    ...{ hashes: base64url, hashAlgorithmOID: hash.oid },
    ...changes,
  })
}

async function approved(t: Subject) {
  const document = newDocumentOf(kindFor(format(t)))
  const { code_verifier, code_challenge } = newPkce()
  const listed = (await t.credentials()).map(({ id }) => id)
  const code = codeOf(await t.authorize(requested(t, document, { code_challenge })))
  const answer = succeeded(await t.redeem(code, code_verifier))
  return { answer, document, listed, token: answer.string('access_token') }
}

/** Its name is told in the one form or the other. */
async function agreed(t: Subject) {
  const isRar = t.info.get('supportsRar') === true
  const { token, document, id } = isRar ? await details(t) : await byParameters(t)
  const asked = { credentialID: id, ...DETAIL }
  const info = succeeded(await t.call('credentials/info', asked, token))
  return { token, document, credential: readCredential(id, 0, info.json ?? {}) }
}

async function byParameters(t: Subject) {
  const { answer, document, token } = await approved(t)
  return { token, document, id: answer.string('credentialID') }
}

async function details(t: Subject) {
  const document = newDocumentOf(kindFor(format(t)))
  const { code_verifier, code_challenge } = newPkce()
  const asked = {
    ...{ type: 'credential', signatureQualifier: kind(t), hashAlgorithmOID: document.hash.oid },
    documentDigests: [{ hash: document.base64, label: 'Contract' }],
  }
  const authorization_details = JSON.stringify([asked])
  const request = t.request({ scope: null, code_challenge, authorization_details })
  const code = codeOf(await t.authorize(request))
  const answer = succeeded(await t.redeem(code, code_verifier))
  const [detail = {}] = answer.objects('authorization_details')
  const id = typeof detail['credentialID'] === 'string' ? detail['credentialID'] : ''
  return { token: answer.string('access_token'), document, detail, id }
}

function sign(
  t: Subject,
  token: string,
  credential: KnownCredential,
  document: Document,
  changes: Json = {},
): Promise<Answer> {
  const item = {
    document: document.bytes.toString('base64'),
    hashAlgorithmOID: document.hash.oid,
    signature_format: format(t),
    ...t.algorithmFor(credential, document),
  }
  const body = { signatureQualifier: kind(t), documents: [item], ...changes }
  return t.callToSign('signatures/signDoc', body, token)
}
