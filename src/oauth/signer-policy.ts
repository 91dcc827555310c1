import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { isManagementScope } from './management-details.js'

/** Sign in, then agree: to these signatures for scope `credential`, to being seen for scope `service`. */
export function signerPolicy(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base()
  const gone = new interactionPolicy.Check('account_gone', 'the account was disabled', (ctx) =>
    ctx.oidc.session?.accountId && !ctx.oidc.account
      ? interactionPolicy.Check.REQUEST_PROMPT
      : interactionPolicy.Check.NO_NEED_TO_PROMPT,
  )
  policy.get('login')?.checks.add(gone)
  const approval = new interactionPolicy.Prompt(
    { name: 'approval', requestable: false },
    new interactionPolicy.Check('credential_scope', 'the signer has to approve', (ctx) =>
      isApproved(ctx.oidc.params?.['scope']) && approvedGrantId(ctx) === null
        ? interactionPolicy.Check.REQUEST_PROMPT
        : interactionPolicy.Check.NO_NEED_TO_PROMPT,
    ),
  )
  policy.add(approval, 1)
  const consent = policy.get('consent')
  // Details are approved there too, and nowhere else.
  consent?.checks.remove('rar_prompt')
  // Whoever approved something was there, and need not say so again.
  consent?.checks.remove('native_client_prompt')
  consent?.checks.add(
    new interactionPolicy.Check(
      'native_client_prompt',
      'another program could pose as an app on this device (RFC 8252, 8.6)',
      'interaction_required',
      ({ oidc }) =>
        oidc.client?.applicationType === 'native' &&
        !isApproved(oidc.params?.['scope']) &&
        !oidc.result?.consent
          ? interactionPolicy.Check.REQUEST_PROMPT
          : interactionPolicy.Check.NO_NEED_TO_PROMPT,
    ),
  )
  return policy
}

/** Whether tokens of that scope stand for one thing that a person agreed to. */
export function isApproved(scope: unknown): boolean {
  return scope === 'credential' || isManagementScope(scope)
}

/** Every approval has a grant of its own; being seen is granted once per application and session. */
export async function loadExistingGrant(ctx: KoaContextWithOIDC) {
  const { Grant } = ctx.oidc.provider
  const clientId = ctx.oidc.client?.clientId ?? ''
  if (isApproved(ctx.oidc.params?.['scope'])) {
    const grantId = approvedGrantId(ctx)
    serviceGrants.set(ctx, ctx.oidc.session?.grantIdFor(clientId))
    return grantId === null ? undefined : Grant.find(grantId)
  }
  const consented = ctx.oidc.result?.consent?.grantId ?? ctx.oidc.session?.grantIdFor(clientId)
  return consented ? Grant.find(consented) : undefined
}

const serviceGrants = new WeakMap<KoaContextWithOIDC, string | undefined>()

/** An approval must not replace, in the session, the grant by which the application sees the person. */
export function keepServiceGrant(ctx: KoaContextWithOIDC): void {
  const grantId = serviceGrants.get(ctx)
  const clientId = ctx.oidc.client?.clientId
  if (grantId && clientId) ctx.oidc.session?.grantIdFor(clientId, grantId)
}

function approvedGrantId(ctx: KoaContextWithOIDC): string | null {
  const approval = (ctx.oidc.result as { approval?: { grantId?: string } } | undefined)?.approval
  return approval?.grantId ?? null
}
