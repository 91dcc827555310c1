import {
  AgreeButton,
  Buttons,
  CodeProblemText,
  Field,
  Form,
  Problem,
  PROBLEM_ID,
  RejectButton,
  type CodeProblem,
  type FormView,
  type PinProblem,
} from '../../pages/form.js'
import { displayText } from '../../pages/display-text.js'
import { DistinguishedName } from '../../pages/distinguished-name.js'
import { duration, groups } from '../../pages/format.js'
import { documentMessages } from './document-messages.js'
import { DocumentPreview, type ShownDocument } from './document.js'
import {
  IdentityButtonOf,
  IdentityProblemText,
  ProviderName,
  type IdentityButton,
  type IdentityProblem,
} from './identity.js'
import {
  PasskeyButton,
  PasskeyField,
  PasskeyNeedsScript,
  PasskeyProblemText,
  type PasskeyProblem,
  type PasskeyQuestion,
} from '../../pages/passkey.js'
import { Asks, ClientName, Foreign, renderPage, Time } from '../../pages/layout.js'
import { messagesOf } from './messages.js'
import {
  isSendProblem,
  SendCodeButton,
  SendProblemText,
  SentCodeStatus,
  type SendProblem,
  type SentCodeView,
} from './sent-code.js'

/** A digest the person is asked to sign. */
export interface ApprovalItem {
  /** The application's name for the document. */
  readonly label?: string
  readonly digestHex: string
  readonly digestBase64: string
  /** What is signed with it, as far as the application says; the text is empty for what we know. */
  readonly properties?: readonly { readonly name: string; readonly text: string }[]
  /** Null or absent where it is not here to be shown. */
  readonly document?: ShownDocument | null
}

export interface ApprovalView extends FormView {
  readonly user: { readonly displayName: string }
  /** What it will be signed with; when there are several, the signer has to choose. */
  readonly credentials: readonly CredentialView[]
  /** What the application says the signatures are for. */
  readonly description?: string
  readonly numSignatures: number
  /** How long the approval lasts once it is given, in seconds. */
  readonly validFor: number
  /** When this page stops being answerable. */
  readonly expiresAt: Date
  /** “SHA-256” */
  readonly hashAlgorithm: string
  /** Four digits that the application may show too; for what is approved on another device. */
  readonly confirmation?: string
  /** Every digest the approval covers; none are left out of the page. */
  readonly items: readonly ApprovalItem[]
  /** `depends` when some of several credentials ask for it. */
  readonly asks: { readonly pin: boolean | 'depends'; readonly otp: boolean | 'depends' }
  readonly problem?: CodeProblem | PinProblem | SendProblem | 'no-credential'
  /** The code that we send, where one is asked for. */
  readonly sentCode?: SentCodeView
  /** Providers to confirm with, instead of a one-time code. */
  readonly identities?: readonly IdentityButton[]
  readonly identityProblem?: IdentityProblem
  /** The question to a passkey, where one approves; `choose` while it depends on the certificate. */
  readonly passkey?: PasskeyQuestion | 'choose' | 'not-enrolled'
  readonly passkeyProblem?: PasskeyProblem
}

export interface CredentialView {
  readonly id: string
  readonly description: string
  /** Its holder, as RFC 4514 text, and its number; null when it is issued upon approval. */
  readonly certificate: { readonly subject: string; readonly serialNumber: string } | null
}

export function renderApproval(view: ApprovalView): string {
  const messages = messagesOf(view).approval
  const title = messages.title(view.numSignatures)
  const passkeyProblem = passkeyProblemOf(view)
  return renderPage(
    view,
    { title, problem: Boolean(view.problem ?? view.identityProblem ?? passkeyProblem), wide: true },
    <>
      <h1>{title}</h1>
      <Asks>
        {messages.asks(<ClientName client={view.client} view={view} />, view.numSignatures)}
      </Asks>
      <Request view={view} />
      <Items view={view} />
      <Decision view={view} />
    </>,
  )
}

/** Beside the fields: what is asked for may fill many screens above. */
function Problems({ view }: { view: ApprovalView }) {
  const { problem, identityProblem } = view
  const passkeyProblem = passkeyProblemOf(view)
  return (
    <>
      {problem && <ApprovalProblem problem={problem} view={view} />}
      {identityProblem && (
        <IdentityProblemText problem={identityProblem} standing={Boolean(problem)} view={view} />
      )}
      {passkeyProblem && (
        <PasskeyProblemText problem={passkeyProblem} standing={Boolean(problem)} view={view} />
      )}
    </>
  )
}

function ApprovalProblem({
  problem,
  view,
}: {
  problem: NonNullable<ApprovalView['problem']>
  view: ApprovalView
}) {
  return (
    <Problem>
      {problem === 'no-credential' ? (
        messagesOf(view).approval.chooseFirst
      ) : problem === 'wrong-pin' ? (
        messagesOf(view).pin.problems[problem]
      ) : isSendProblem(problem) ? (
        <SendProblemText problem={problem} view={view} />
      ) : (
        <CodeProblemText problem={problem} view={view} />
      )}
    </Problem>
  )
}

/** What for, who signs, how many, until when, with which certificate. */
function Request({ view }: { view: ApprovalView }) {
  const messages = messagesOf(view).approval
  const description = displayText(view.description ?? '', 500)
  const [only, another] = view.credentials
  return (
    <section aria-labelledby="request">
      <h2 id="request">{messages.details}</h2>
      <dl class="facts">
        {description !== '' && (
          <div class="purpose">
            <dt>{messages.purpose}</dt>
            <dd>
              <bdi>{description}</bdi>
            </dd>
          </div>
        )}
        <div>
          <dt>{messages.signer}</dt>
          <dd>
            <Foreign text={view.user.displayName} />
          </dd>
        </div>
        <div>
          <dt>{messages.count}</dt>
          <dd>{view.numSignatures}</dd>
        </div>
        {view.confirmation !== undefined && (
          <div>
            <dt>{messages.confirmation}</dt>
            <dd>
              <code>{view.confirmation}</code>
              <span class="detail">{messages.confirmationHint}</span>
            </dd>
          </div>
        )}
        <div>
          <dt>{messages.validity}</dt>
          <dd>{messages.validFor(duration(messagesOf(view), view.validFor))}</dd>
        </div>
        {only && !another && (
          <div class="certificate">
            <dt>{messages.certificate}</dt>
            <dd>
              <Certificate credential={only} view={view} />
            </dd>
          </div>
        )}
      </dl>
    </section>
  )
}

function Certificate({ credential, view }: { credential: CredentialView; view: ApprovalView }) {
  const messages = messagesOf(view).approval
  const { description, certificate } = credential
  if (!certificate) {
    return (
      <>
        <Foreign text={description} max={255} />
        <span class="detail">{messages.issuedUponApproval}</span>
      </>
    )
  }
  return (
    <>
      <Foreign text={description} max={255} />
      <span class="detail">
        <DistinguishedName text={certificate.subject} />
      </span>
      <span class="detail">
        {messages.serialNumber}{' '}
        <code>
          <Foreign text={certificate.serialNumber} max={100} />
        </code>
      </span>
    </>
  )
}

/** With which of several; none is chosen beforehand. */
function Choice({ view }: { view: ApprovalView }) {
  const wrong = view.problem === 'no-credential'
  return (
    <fieldset class="choice" aria-describedby={wrong ? PROBLEM_ID : undefined}>
      <legend>{messagesOf(view).approval.choose}</legend>
      {view.credentials.map((credential) => (
        <label>
          <input
            type="radio"
            name="credentialID"
            value={credential.id}
            required
            aria-invalid={wrong ? 'true' : undefined}
          />
          <span>
            <Certificate credential={credential} view={view} />
          </span>
        </label>
      ))}
    </fieldset>
  )
}

/** All digests: in view at once, or in a region that scrolls with the keyboard too. */
function Items({ view }: { view: ApprovalView }) {
  const messages = messagesOf(view).approval
  const areShown = view.items.some(({ document }) => document)
  const list = (
    <ol class="items">
      {view.items.map((item, index) => (
        <li id={`document-${index + 1}`}>
          <span class="item-label">
            <bdi>{labelOf(item) || messages.item(index + 1)}</bdi>
          </span>
          <Fingerprint item={item} />
          <Properties item={item} view={view} />
          {item.document ? (
            <DocumentPreview document={item.document} number={index + 1} view={view} />
          ) : (
            areShown && <p class="hint document">{documentMessages(view).notHere}</p>
          )}
        </li>
      ))}
    </ol>
  )
  return (
    <section aria-labelledby="items">
      <h2 id="items">{messages.items(view.items.length)}</h2>
      <p class="hint">
        {messages.itemsHint(displayText(view.hashAlgorithm, 20), view.items.length)}
      </p>
      {view.items.length > 4 && !areShown ? (
        <div class="scroll" role="group" aria-labelledby="items" tabIndex={0}>
          {list}
        </div>
      ) : (
        list
      )}
    </section>
  )
}

/** What the request calls it, else what it was called when it was left here. */
function labelOf({ label, document }: ApprovalItem): string {
  return displayText(label ?? document?.name ?? '', 200)
}

/** In the application's own words: names of the specification, and values that are text or Base64. */
function Properties({ item, view }: { item: ApprovalItem; view: ApprovalView }) {
  const { properties = [] } = item
  if (properties.length === 0) return null
  return (
    <div class="hint">
      {messagesOf(view).approval.signedWithIt}
      <ul>
        {properties.map(({ name, text }) => (
          <li>
            <Foreign text={name} />
            {text !== '' && (
              <>
                {': '}
                <Foreign text={text} max={500} />
              </>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}

/** Groups are set apart by style alone, so that copying gives the plain digest. */
function Fingerprint({ item }: { item: ApprovalItem }) {
  return (
    <data class="fingerprint" value={item.digestBase64}>
      {groups(item.digestHex).map((group) => (
        <>
          <span>{group}</span>
          <wbr />
        </>
      ))}
    </data>
  )
}

function Decision({ view }: { view: ApprovalView }) {
  const { approval: messages, pin, otp, passkey } = messagesOf(view)
  const wrongPin = view.problem === 'wrong-pin'
  const wrongCode =
    view.problem !== undefined &&
    !wrongPin &&
    view.problem !== 'no-credential' &&
    !isSendProblem(view.problem)
  const { sentCode } = view
  const awaitsSending = sentCode !== undefined && sentCode.channel !== null && !sentCode.underway
  const asksCode = (view.asks.otp || !(view.identities ?? view.passkey)) && !awaitsSending
  const question = typeof view.passkey === 'object' ? view.passkey : null
  return (
    <section aria-labelledby="decision" class="decision">
      <h2 id="decision">{messages.confirm}</h2>
      <Problems view={view} />
      <p class="hint">{messages.answerBy(<Time at={view.expiresAt} view={view} />)}</p>
      <Form view={view}>
        {view.credentials.length > 1 && <Choice view={view} />}
        {sentCode && <SentCodeStatus code={sentCode} view={view} />}
        {view.asks.pin && !awaitsSending && (
          <Field
            name="pin"
            label={pin.label}
            hint={view.asks.pin === 'depends' ? pin.hintIfAny : pin.hint}
            optional={view.asks.pin === 'depends'}
            wrong={wrongPin}
          />
        )}
        {view.asks.otp && !awaitsSending && (
          <Field
            name="otp"
            label={otp.label}
            hint={codeHint(view)}
            optional={view.asks.otp === 'depends'}
            wrong={wrongCode}
          />
        )}
        <ConfirmHint view={view} />
        {question && (
          <>
            <p class="hint">{passkey.approveHint}</p>
            <PasskeyNeedsScript view={view} />
            <PasskeyField question={question} view={view} />
          </>
        )}
        <Buttons>
          {question && <PasskeyButton primary>{passkey.approve(view.numSignatures)}</PasskeyButton>}
          {view.passkey === 'choose' && !asksCode && (
            <AgreeButton value="approve">{passkey.choose}</AgreeButton>
          )}
          {asksCode && (
            <AgreeButton value="approve">{messages.approve(view.numSignatures)}</AgreeButton>
          )}
          {view.identities?.map((button) => (
            <IdentityButtonOf button={button} primary={!asksCode} checks>
              {messagesOf(view).identity.confirm(<ProviderName label={button.label} />)}
            </IdentityButtonOf>
          ))}
          {sentCode && (sentCode.channel === null || sentCode.to !== null) && (
            <SendCodeButton code={sentCode} view={view} />
          )}
          <RejectButton>{messages.reject}</RejectButton>
        </Buttons>
      </Form>
    </section>
  )
}

/** Where the code is to be found. */
function codeHint(view: ApprovalView): string {
  const { otp, sentCode } = messagesOf(view)
  if (!view.sentCode) return otp.hint
  return view.sentCode.channel === null ? sentCode.hintEither : sentCode.hint
}

function passkeyProblemOf({ passkey, passkeyProblem }: ApprovalView): PasskeyProblem | undefined {
  return passkey === 'not-enrolled' ? passkey : passkeyProblem
}

/** What leaving this page for an identity provider means. */
function ConfirmHint({ view }: { view: ApprovalView }) {
  const [first] = view.identities ?? []
  if (!first) return null
  return (
    <p class="hint">
      {messagesOf(view).identity.confirmHint(<ProviderName label={first.label} />)}
    </p>
  )
}
