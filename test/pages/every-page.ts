import { createHash } from 'node:crypto'
import type { AccountPageView } from '../../src/account/pages/account-page.js'
import { renderNotFound } from '../../src/account/pages/account-page.js'
import { renderApprovals } from '../../src/account/pages/approvals.js'
import {
  renderCredentialDecision,
  renderCredentials,
  type CredentialView,
} from '../../src/account/pages/credentials.js'
import {
  renderChangeFactors,
  renderFactors,
  renderPendingAuthenticator,
  renderRecoveryCodes,
} from '../../src/account/pages/factors.js'
import { renderHistory, renderStory, type StoryView } from '../../src/account/pages/history.js'
import { renderNotSignedIn } from '../../src/account/pages/not-signed-in.js'
import { renderNoticeSettings } from '../../src/account/pages/notice-settings.js'
import { renderOverview } from '../../src/account/pages/overview.js'
import {
  renderAddPasskey,
  renderPasskeys,
  renderRemovePasskey,
} from '../../src/account/pages/passkeys.js'
import { renderSessions } from '../../src/account/pages/sessions.js'
import { SECTIONS } from '../../src/account/sections.js'
import type { DocumentView } from '../../src/documents/display/document-views.js'
import type { Passkey } from '../../src/identity/passkeys.js'
import {
  renderApproval,
  renderConsent,
  renderDocument,
  renderError,
  renderManagement,
  renderSecondFactor,
  renderSignIn,
  type ApprovalItem,
  type ApprovalView,
} from '../../src/oauth/pages/index.js'
import type { Language } from '../../src/pages/language.js'
import type { Report } from '../../src/verification/report.js'
import {
  renderLateResult,
  renderReportPage,
  renderUnderway,
  renderUploadPage,
} from '../../src/verify/pages.js'

const LONG_WORD = 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'
const LONG_NAME = `Wolfeschlegelsteinhausenbergerdorff ${LONG_WORD}`
const RIGHT_TO_LEFT = 'CN=محمد بن عبد الله,O=شركة التوقيع,C=SA'
const LATER = new Date('2026-03-04T14:32:00Z')
const NOW = new Date('2026-03-04T14:22:00Z')

const PICTURE: DocumentView = {
  kind: 'pdf',
  place: { page: 2, zoom: 1 },
  pages: 12,
  active: ['javascript', 'embedded-files'],
  picture: Buffer.alloc(0),
  ...{ width: 1200, height: 1697, text: 'Lease agreement' },
}

function item(number: number, more: Partial<ApprovalItem> = {}): ApprovalItem {
  const digest = createHash('sha256').update(`${number}`).digest()
  const [digestHex, digestBase64] = [digest.toString('hex'), digest.toString('base64')]
  return { label: `${LONG_WORD}-${number}.pdf`, digestHex, digestBase64, ...more }
}

const CREDENTIAL: CredentialView = {
  id: 'c-1',
  description: LONG_NAME,
  keyAlgorithm: 'p-256',
  subject: RIGHT_TO_LEFT,
  issuer: 'CN=OpenRSSP Issuing CA,C=DE',
  serialNumber: '5f2a91'.repeat(6),
  ...{ notBefore: NOW, notAfter: LATER, status: 'valid', resumable: false },
}

const PASSKEY = {
  ...{ id: 'AAAA', name: LONG_WORD.slice(0, 60), createdAt: NOW, lastUsedAt: null },
} as Passkey
const QUESTION = { ceremony: 'get', options: { challenge: 'AAAA' } } as const

const STORY: StoryView = {
  id: 's-1',
  application: LONG_NAME,
  credential: LONG_NAME,
  createdAt: NOW,
  description: 'Lease agreement',
  hashAlgorithm: null,
  numSignatures: 3,
  signed: 1,
  outcome: 'partly-signed',
  items: [
    { label: LONG_WORD, digest: Buffer.alloc(32, 7), state: 'consumed' },
    { label: null, digest: null, state: null },
  ],
} as unknown as StoryView

const FINDING = { code: 'no-chain', severity: 'error', text: `No chain leads to ${LONG_WORD}.` }
const CERTIFICATE = {
  ...{ subject: RIGHT_TO_LEFT, issuer: CREDENTIAL.issuer, serialNumber: '01', sha256: 'ab' },
  ...{ notBefore: NOW.toISOString(), notAfter: LATER.toISOString(), trustAnchor: false },
  revocation: { status: 'good', source: 'crl', producedAt: null, revokedAt: null, reason: null },
}
const TIMESTAMP = {
  kind: 'document',
  ...{ indication: 'TOTAL-PASSED', subIndication: null, time: NOW.toISOString() },
  ...{ authority: CREDENTIAL.issuer, policy: null, serialNumber: null, digestAlgorithm: null },
  ...{ chain: [CERTIFICATE], findings: [] },
}
const REPORT = {
  indication: 'INDETERMINATE',
  validationTime: NOW.toISOString(),
  lang: 'en',
  document: { name: `${LONG_WORD}.pdf`, format: 'PDF', bytes: 1, sha256: 'ab'.repeat(32) },
  signatures: [
    {
      ...{ id: 'signature-1', format: 'PAdES', level: 'B-LT', place: 'Signature1' },
      ...{ countersigns: null, indication: 'INDETERMINATE' },
      ...{ subIndication: 'NO_CERTIFICATE_CHAIN_FOUND', advice: 'Ask the signer.' },
      ...{ signer: CERTIFICATE, chain: [CERTIFICATE], claimedSigningTime: NOW.toISOString() },
      ...{ bestSignatureTime: NOW.toISOString(), signatureAlgorithm: 'ECDSA with SHA-256' },
      ...{ digestAlgorithms: ['SHA-256'], keyType: 'P-256', timestamps: [TIMESTAMP] },
      coverage: {
        ...{ byteRange: [0, 1, 2, 3], wholeDocument: false, permissions: null },
        changes: [{ kind: 'form', allowed: true, about: 'a field' }],
      },
      findings: [FINDING],
    },
  ],
  timestamps: [TIMESTAMP],
  findings: [FINDING],
} as unknown as Report

/** Every page a person can meet, with the longest names there are: name of the page → HTML. */
export function everyPage(lang: Language): Record<string, string> {
  const base = { lang, here: '/account' } as const
  const form = { ...base, action: '/oauth2/interaction/i-1', client: { name: LONG_NAME } }
  const user = { displayName: LONG_NAME }
  const account: AccountPageView = { ...base, user, section: 'factors', navigation: SECTIONS }
  const certificate = { subject: RIGHT_TO_LEFT, serialNumber: CREDENTIAL.serialNumber }
  const credential = { id: 'c-1', description: LONG_NAME, certificate }
  const approval: ApprovalView = {
    ...{ ...form, user, credentials: [credential], now: NOW, validFor: 300, expiresAt: LATER },
    ...{ numSignatures: 1, hashAlgorithm: 'SHA-256', items: [item(1)] },
    asks: { pin: true, otp: true },
  }
  const shown = { name: `${LONG_WORD}.pdf`, size: 1e6, href: '/documents/1' }
  const factors = { ...account, authenticator: true, recoveryCodes: 2 }
  const stories = { stories: [STORY], next: 's-1', first: true }
  const event = { event: 'factor.enrolled', at: NOW, application: LONG_NAME, credential: null }
  const session = {
    ...{ handle: 'h', authenticatedAt: NOW, expiresAt: LATER, amr: ['pwd', 'otp'] },
    ...{ current: false, applications: [LONG_NAME] },
  }
  const underway = renderUnderway(lang)
  const standing = { id: 'a', numSignatures: 2, credential: LONG_NAME, expiresAt: LATER }
  return {
    'sign-in': renderSignIn({
      ...{ ...form, scope: 'service', username: LONG_WORD, problem: 'wrong-credentials' },
      ...{ identities: [{ action: 'identity:a', label: LONG_NAME }], passkey: QUESTION },
    }),
    'sign-in-linking': renderSignIn({
      ...{ ...form, scope: 'account', problem: 'too-many-attempts' },
      link: { id: 'l', label: LONG_NAME, person: LONG_NAME },
    }),
    'sign-in-again': renderSignIn({ ...form, scope: 'account-changes' }),
    'second-factor': renderSecondFactor({ ...form, problem: 'wrong-code' }),
    'second-factor-recovery': renderSecondFactor({ ...form, problem: 'wrong-recovery-code' }),
    'second-factor-by-code': renderSecondFactor({ ...form, byCode: true }),
    consent: renderConsent({ ...form, user }),
    'create-credential': renderManagement({ ...form, user, credential: null, asksCode: true }),
    'delete-credential': renderManagement({
      ...{ ...form, user, credential, asksCode: true, problem: { lockedUntil: LATER } },
    }),
    approval: renderApproval({ ...approval, description: LONG_NAME, problem: 'wrong-pin' }),
    'approval-of-300': renderApproval({
      ...{ ...approval, numSignatures: 300, confirmation: '1234' },
      items: Array.from({ length: 300 }, (_, index) => item(index + 1)),
    }),
    'approval-with-documents': renderApproval({
      ...approval,
      numSignatures: 4,
      items: [
        item(1, { document: { ...shown, view: PICTURE } }),
        item(2, {
          document: {
            ...shown,
            view: { kind: 'text', place: { page: 1, zoom: 1 }, pages: 2, text: LONG_WORD },
          },
        }),
        item(3, { document: { ...shown, view: { kind: 'unshowable', why: 'password' } } }),
        item(4, { document: shown }),
      ],
    }),
    'approval-choice': renderApproval({
      ...approval,
      credentials: [credential, { ...credential, id: 'c-2', certificate: null }],
      asks: { pin: 'depends', otp: 'depends' },
      problem: 'no-credential',
      sentCode: { to: null, channel: null, underway: null },
      passkey: 'choose',
    }),
    'approval-sent-code': renderApproval({
      ...approval,
      problem: { resendAt: LATER },
      sentCode: {
        ...{ to: 'w***@example.org', channel: 'email' },
        underway: { expiresAt: LATER, resendAt: LATER },
      },
    }),
    'approval-passkey': renderApproval({
      ...{ ...approval, asks: { pin: true, otp: false }, passkey: QUESTION },
      passkeyProblem: 'expired',
    }),
    'approval-identity': renderApproval({
      ...{ ...approval, asks: { pin: true, otp: false } },
      identities: [{ action: 'identity:a', label: LONG_NAME }],
      identityProblem: { kind: 'other-person', label: LONG_NAME },
    }),
    document: renderDocument({
      ...{ ...base, number: 1, back: '/approval', hashAlgorithm: 'SHA-256' },
      ...{ digestHex: 'ab'.repeat(32), document: { ...shown, view: PICTURE } },
    }),
    'document-unshowable': renderDocument({
      ...{ ...base, number: 1, back: '/approval', hashAlgorithm: 'SHA-256' },
      ...{
        digestHex: 'ab'.repeat(64),
        document: { ...shown, view: { kind: 'unshowable', why: 'damaged' } },
      },
    }),
    error: renderError({ ...base, error: 'invalid_request', description: LONG_NAME }),
    'error-with-way-back': renderError({
      ...{ ...base, error: 'access_denied', reference: 'r-1' },
      backTo: { href: 'https://app.example', name: LONG_NAME },
    }),
    'not-signed-in': renderNotSignedIn({ ...base, why: 'too-weak', retry: '/account' }),
    'not-found': renderNotFound(account),
    overview: renderOverview({ ...account, authenticatedAt: NOW, amr: ['pwd'], notice: 'saved' }),
    history: renderHistory({ ...account, ...stories, events: [event] }),
    story: renderStory({ ...account, story: STORY, from: 0, next: 50 }),
    approvals: renderApprovals(account, [
      {
        ...{ id: 't-1', clientName: LONG_NAME, numSignatures: 2, description: LONG_NAME },
        ...{ expiresAt: LATER, confirmation: '1234' },
      },
    ]),
    credentials: renderCredentials({
      ...account,
      credentials: [CREDENTIAL, { ...CREDENTIAL, id: 'c-2', status: 'suspended', resumable: true }],
    }),
    'revoke-credential': renderCredentialDecision({
      ...{ ...account, credential: CREDENTIAL, decision: 'revoke' },
    }),
    sessions: renderSessions({
      ...account,
      sessions: [session, { ...session, handle: 'other', current: true }],
      applications: [
        { id: 'a', name: LONG_NAME, until: LATER, renewableUntil: null, approvals: [standing] },
        { id: 'b', name: LONG_NAME, until: null, renewableUntil: LATER, approvals: [] },
      ],
    }),
    factors: renderFactors({ ...factors, problem: 'wrong-enrolment-code' }),
    'no-factors': renderFactors({ ...factors, authenticator: false }),
    'change-factors': renderChangeFactors({
      ...{ ...factors, mayEnrol: true, mayRemove: true, problem: 'not-removed' },
    }),
    'pending-authenticator': renderPendingAuthenticator({
      ...{ ...account, id: 'p-1', totpSecret: 'JBSWY3DPEHPK3PXP', expiresAt: LATER },
      ...{ address: 'otpauth://totp/a?secret=JBSWY3DPEHPK3PXP', problem: 'wrong-code' },
    }),
    'recovery-codes': renderRecoveryCodes({
      ...{ ...account, after: 'enrolled' },
      recoveryCodes: Array.from({ length: 10 }, (_, index) => `AAAA-BBBB-CCCC-${1000 + index}`),
    }),
    passkeys: renderPasskeys({
      ...{ ...account, passkeys: [PASSKEY, { ...PASSKEY, id: 'BBBB' }], misnamed: 'BBBB' },
    }),
    'add-passkey': renderAddPasskey({
      ...{ ...account, by: 'enrolment-code', problem: 'wrong-enrolment-code' },
      question: { ceremony: 'create', options: {} },
    }),
    'remove-passkey': renderRemovePasskey({ ...account, passkey: PASSKEY, isLast: true }),
    notices: renderNoticeSettings({
      ...{ ...account, email: `${LONG_WORD}@example.org`, signatureNotices: true },
      mailLanguage: lang,
    }),
    verification: renderUploadPage({ lang, problem: 'too-large', largest: 20971520 }),
    report: renderReportPage({ lang, report: REPORT }),
    'report-underway': underway.beginning + underway.end,
    'report-refused-late':
      underway.beginning + renderLateResult({ lang, result: 'busy' }) + underway.end,
  }
}
