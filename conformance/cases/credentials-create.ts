import { X509Certificate } from 'node:crypto'
import { readCredential, type KnownCredential } from '../credential-view.js'
import { stringsOf, type Answer, type Json } from '../exchange.js'
import { demand, refusedSomehow, same, succeeded } from '../expectations.js'
import { newPkce, type Changes } from '../oauth-client.js'
import { requirement, type Chapter, type Requirement } from '../requirement.js'
import { codeOf, type Authorised, type Subject } from '../subject.js'

const CREATE = { clause: 'CSC v2.2.0.0 §11.4' }
const DELETE = { clause: 'CSC v2.2.0.0 §11.5' }
const TYPES = 'https://cloudsignatureconsortium.org/2025/'
const DETAIL = { certificates: 'chain', certInfo: true, authInfo: true }
const CREATION = { credentialCreationRequest: {}, credentialInfo: true, ...DETAIL }
const NOBODY = 'Nobody-Of-This-Name'
const TRUST_SECONDS = 240

/** How refusals are worded is not known of these two; that they refuse is what can be tested. */
export const createAndDelete: Chapter = {
  name: 'credentials/create and delete',
  versions: ['v2'],
  requirements: [...creating(), ...deleting()],
  /** What was made and not deleted by a case is deleted in the end. */
  after: async (t) => {
    const left = t.peek<Made>('made')
    if (left && t.claims('credentials/delete')) await remove(t, left.credential.id)
  },
}

function creating(): Requirement[] {
  return [
    ...(
      [
        ['no request', {}],
        ['a text for the request', { credentialCreationRequest: 'x' }],
        ['a list for the request', { credentialCreationRequest: [] }],
      ] as [string, Json][]
    ).map(([what, body]) =>
      requirement(`create refuses ${what}`, CREATE, async (t) => {
        t.needs('credentials/create')
        refusedSomehow(await t.call('credentials/create', body, await t.serviceToken()))
      }),
    ),
    requirement('create is not opened by a token of scope service', CREATE, async (t) => {
      t.needs('credentials/create')
      const body = { credentialCreationRequest: { subjectData: {} } }
      refusedSomehow(await t.call('credentials/create', body, await t.serviceToken()))
    }),
    requirement('create is not opened by a credential token', CREATE, async (t) => {
      t.needs('credentials/create')
      const body = { credentialCreationRequest: { subjectData: {} } }
      refusedSomehow(await t.call('credentials/create', body, (await t.unspent()).bearer))
    }),
    requirement('create makes a credential, and describes it when asked', CREATE, async (t) => {
      const { credential, answer } = await made(t)
      demand(credential.id !== '', 'credentialID is empty')
      demand(credential.enabled, 'its key is not enabled')
      same(stringsOf(answer.object('cert'), 'certificates').length > 0, true, 'certificate')
    }),
    requirement('create makes a credential that is listed', CREATE, async (t) => {
      const { credential } = await made(t)
      demand((await listed(t)).includes(credential.id), 'it is not')
    }),
    requirement('create makes a credential that info describes alike', CREATE, async (t) => {
      const { credential, answer } = await made(t)
      const info = await t.call(
        'credentials/info',
        { credentialID: credential.id, ...DETAIL },
        await t.serviceToken(),
      )
      for (const name of ['key', 'cert', 'multisign']) {
        same(answer.get(name), succeeded(info).get(name), name)
      }
    }),
    requirement('create makes a credential that signs', CREATE, async (t) => {
      const { credential } = await made(t)
      const authorised = await t.authorise(credential, t.documentsFor(credential))
      t.verifySignatures(await t.sign(authorised), authorised)
    }),
    requirement('create makes one credential for one agreement', CREATE, async (t) => {
      const { token } = await made(t)
      const before = await listed(t)
      refusedSomehow(await t.call('credentials/create', CREATION, token))
      same((await listed(t)).length, before.length, 'number of credentials')
    }),
    requirement('create refuses another request than the one agreed to', CREATE, async (t) => {
      mayCreate(t)
      const agreedTo = { subjectData: {} }
      const token = await agreed(t, toCreate({ credentialCreationRequest: agreedTo }))
      const before = await listed(t)
      const other = { certificatePolicy: '1.2.3.4' }
      refusedSomehow(
        await t.call('credentials/create', { credentialCreationRequest: other }, token),
      )
      same((await listed(t)).length, before.length, 'number of credentials')
    }),
    requirement(
      'create puts no name into the certificate that is not the signer’s',
      CREATE,
      async (t) => {
        mayCreate(t)
        const wanted = { credentialCreationRequest: { subjectData: { family_name: NOBODY } } }
        const { code_verifier, code_challenge } = newPkce()
        const told = await t.authorize(t.request({ ...toCreate(wanted), code_challenge }))
        if (told.has('error')) return
        const token = succeeded(await t.redeem(codeOf(told), code_verifier)).string('access_token')
        const body = { ...wanted, credentialInfo: true, ...DETAIL }
        const answer = await t.call('credentials/create', body, token)
        if (answer.status >= 400) return
        await remove(t, answer.string('credentialID'))
        const [der = ''] = stringsOf(answer.object('cert'), 'certificates')
        const { subject } = new X509Certificate(Buffer.from(der, 'base64'))
        demand(!subject.includes(NOBODY), 'it does')
      },
    ),
    requirement('the token for create opens nothing else', CREATE, async (t) => {
      mayCreate(t)
      const token = await agreed(t, toCreate())
      refusedSomehow(await t.call('credentials/list', {}, token))
      const { id } = await t.credential()
      const body = { credentialDeletionRequest: { credentialID: id } }
      refusedSomehow(await t.call('credentials/delete', body, token))
      demand((await listed(t)).includes(id), 'the credential is gone')
    }),
    requirement('create gets no token when the signer rejects', CREATE, async (t) => {
      t.needs('credentials/create')
      const told = await t.authorize(t.request(toCreate()), { decision: 'reject' })
      same([told.get('error'), told.has('code')], ['access_denied', false], 'error and code')
    }),
  ]
}

function deleting(): Requirement[] {
  return [
    ...(
      [
        ['no request', {}],
        ['a text for the request', { credentialDeletionRequest: 'x' }],
        ['an unknown credential', { credentialDeletionRequest: { credentialID: 'nobody' } }],
      ] as [string, Json][]
    ).map(([what, body]) =>
      requirement(`delete refuses ${what}`, DELETE, async (t) => {
        t.needs('credentials/delete')
        refusedSomehow(await t.call('credentials/delete', body, await t.serviceToken()))
      }),
    ),
    requirement(
      'delete is not opened by a token of scope service, and deletes nothing',
      DELETE,
      async (t) => {
        t.needs('credentials/delete')
        const { id } = await t.credential({ signer: t.otherSigner() })
        const body = { credentialDeletionRequest: { credentialID: id } }
        refusedSomehow(await t.call('credentials/delete', body, await t.serviceToken()))
        const list = await t.call('credentials/list', {}, await t.serviceToken(1))
        demand(succeeded(list).strings('credentialIDs').includes(id), 'the credential is gone')
      },
    ),
    requirement('delete refuses another credential than the one agreed to', DELETE, async (t) => {
      const { credential } = await made(t)
      const token = await deletionToken(t, credential.id)
      const { id } = await t.credential()
      const body = { credentialDeletionRequest: { credentialID: id } }
      refusedSomehow(await t.call('credentials/delete', body, token))
      demand((await listed(t)).includes(id), 'the credential is gone')
    }),
    ...(
      [
        ['to revoke without revocationReason', { revoke: true }],
        ['the revocationReason 7, which does not exist', { revoke: true, revocationReason: 7 }],
        ['a text for revocationReason', { revoke: true, revocationReason: 'one' }],
      ] as [string, Json][]
    ).map(([what, more]) =>
      requirement(`delete refuses ${what}`, DELETE, async (t) => {
        const { credential } = await made(t)
        const token = await deletionToken(t, credential.id)
        const request = { credentialID: credential.id, ...more }
        refusedSomehow(
          await t.call('credentials/delete', { credentialDeletionRequest: request }, token),
        )
        demand((await listed(t)).includes(credential.id), 'the credential is gone')
      }),
    ),
    requirement('delete ends a credential, answering 204 without body', DELETE, async (t) => {
      const { answer } = await gone(t)
      succeeded(answer, 204)
      same(answer.text, '', 'body')
    }),
    requirement('delete works once for one agreement', DELETE, async (t) => {
      const { credential, token } = await gone(t)
      const body = { credentialDeletionRequest: { credentialID: credential.id } }
      refusedSomehow(await t.call('credentials/delete', body, token))
    }),
    requirement('what is deleted is not listed any more', DELETE, async (t) => {
      const { credential } = await gone(t)
      demand(!(await listed(t)).includes(credential.id), 'it is')
    }),
    requirement('what is deleted is not known any more', DELETE, async (t) => {
      const { credential } = await gone(t)
      const body = { credentialID: credential.id }
      refusedSomehow(await t.call('credentials/info', body, await t.serviceToken()))
    }),
    requirement('what is deleted does not sign, though it was agreed before', DELETE, async (t) => {
      const { authorised } = await gone(t)
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('what is deleted cannot be authorised any more', DELETE, async (t) => {
      const { credential } = await gone(t)
      const documents = t.documentsFor(credential)
      if (credential.mode !== 'oauth2code') {
        const body = t.authorizeBody(credential, documents)
        refusedSomehow(await t.call('credentials/authorize', body, await t.serviceToken()))
        return
      }
      const told = await t.authorize(t.credentialRequest(credential, documents))
      demand(told.has('error') && !told.has('code'), `told was ${told.toString()}`)
    }),
  ]
}

interface Made {
  readonly credential: KnownCredential
  readonly answer: Answer
  readonly token: string
}

function mayCreate(t: Subject): void {
  t.needs('credentials/create')
  if (!t.target.consume?.create) t.skip('needs "consume.create"')
}

/** A credential made for this run. */
function made(t: Subject): Promise<Made> {
  mayCreate(t)
  return t.kept('made', Infinity, async () => {
    const token = await agreed(t, toCreate())
    const answer = await t.call('credentials/create', CREATION, token)
    demand([200, 201].includes(answer.status), `status ${answer.status}: ${answer.text}`)
    const credential = readCredential(answer.string('credentialID'), 0, answer.json ?? {})
    return { credential, answer, token }
  })
}

function deletionToken(t: Subject, id: string): Promise<string> {
  t.needs('credentials/delete')
  return t.kept(`deletion of ${id}`, TRUST_SECONDS, () => agreed(t, toDelete(id)))
}

/** A credential of this run after it was deleted, with an authorisation of before. */
function gone(t: Subject): Promise<Made & { authorised: Authorised }> {
  mayCreate(t)
  return t.kept('gone', Infinity, async () => {
    const { credential } = await made(t)
    const token = await deletionToken(t, credential.id)
    const authorised = await t.authorise(credential, t.documentsFor(credential))
    const body = { credentialDeletionRequest: { credentialID: credential.id } }
    const answer = await t.call('credentials/delete', body, token)
    if (answer.status < 300) t.forget('made')
    return { credential, answer, token, authorised }
  })
}

async function remove(t: Subject, credentialID: string): Promise<void> {
  const token = await agreed(t, toDelete(credentialID))
  succeeded(
    await t.call('credentials/delete', { credentialDeletionRequest: { credentialID } }, token),
    204,
  )
}

async function listed(t: Subject): Promise<string[]> {
  const list = await t.call('credentials/list', {}, await t.serviceToken())
  return succeeded(list).strings('credentialIDs')
}

/** A token for what the signer agreed to. */
async function agreed(t: Subject, request: Changes): Promise<string> {
  const { code_verifier, code_challenge } = newPkce()
  const told = await t.authorize(t.request({ ...request, code_challenge }))
  return succeeded(await t.redeem(codeOf(told), code_verifier)).string('access_token')
}

function toCreate(more: Json = {}): Changes {
  const details = [{ type: `${TYPES}credential-creation`, ...more }]
  return { scope: null, authorization_details: JSON.stringify(details) }
}

function toDelete(credentialID: string): Changes {
  const details = [{ type: `${TYPES}credential-deletion`, credentialID }]
  return { scope: null, authorization_details: JSON.stringify(details) }
}
