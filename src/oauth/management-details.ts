import { isDeepStrictEqual } from 'node:util'
import { Type, type Static } from '@sinclair/typebox'
import {
  CredentialCreationRequest,
  CredentialDeletionRequest,
  isRevocationReason,
  type CredentialManagement,
} from '../credentials/management-request.js'
import { InvalidParameterError, MissingParameterError } from '../errors.js'
import { readEntry } from './authorization-details.js'
import type { CscParameters } from './credential-scope.js'
import { validatorOf } from '../validator.js'

/** Scopes of CSC API v2.2 for making and ending credentials. */
export const MANAGEMENT_SCOPES = ['credential-creation', 'credential-deletion'] as const
export type ManagementScope = (typeof MANAGEMENT_SCOPES)[number]

const PREFIX = 'https://cloudsignatureconsortium.org/2025/'
const CREATION_TYPES = [
  `${PREFIX}credential-creation`,
  'credential-creation',
  'credential_creation',
] as const
const DELETION_TYPES = [
  `${PREFIX}credential-deletion`,
  'credential-deletion',
  'credential_deletion',
] as const

/** Kinds of authorization details; a short name is echoed as it was sent. */
export const MANAGEMENT_DETAIL_TYPES = [...CREATION_TYPES, ...DELETION_TYPES] as const

const closed = { additionalProperties: false }
const common = {
  acr_values: Type.Optional(Type.String()),
  locations: Type.Optional(Type.Array(Type.String())),
}
export const CreationDetail = Type.Object(
  {
    type: Type.Union(CREATION_TYPES.map((type) => Type.Literal(type))),
    credentialCreationRequest: Type.Optional(CredentialCreationRequest),
    ...common,
  },
  closed,
)
export const DeletionDetail = Type.Object(
  {
    type: Type.Union(DELETION_TYPES.map((type) => Type.Literal(type))),
    credentialID: Type.Optional(Type.String({ minLength: 1 })),
    credentialDeletionRequest: Type.Optional(CredentialDeletionRequest),
    ...common,
  },
  closed,
)
export type CreationDetail = Static<typeof CreationDetail>
export type DeletionDetail = Static<typeof DeletionDetail>
export type ManagementDetail = CreationDetail | DeletionDetail

const isCreation = validatorOf(CreationDetail)
const isDeletion = validatorOf(DeletionDetail)

export function isManagementScope(scope: unknown): scope is ManagementScope {
  return MANAGEMENT_SCOPES.some((each) => each === scope)
}

/** The scope that details of this kind stand for; null when they are of another kind. */
export function managementScopeOf(authorizationDetails: string): ManagementScope | null {
  const entry = readEntry(authorizationDetails) as { type?: unknown } | null
  const type = entry?.type
  if (CREATION_TYPES.some((each) => each === type)) return 'credential-creation'
  return DELETION_TYPES.some((each) => each === type) ? 'credential-deletion' : null
}

/** What an application asks for, and the detail that says so in the token answer. */
export interface ManagementRequest {
  readonly asked: CredentialManagement
  readonly detail: ManagementDetail
}

/**
 * Reads a request to make or end a credential, by details or by scope alone (CSC API v2.2, 8.4).
 * @throws {MissingParameterError} @throws {InvalidParameterError}
 */
export function readManagement(
  scope: ManagementScope,
  parameters: CscParameters,
): ManagementRequest {
  const { authorization_details, credentialID } = parameters
  const detail = authorization_details
    ? readDetail(authorization_details)
    : detailOf(scope, credentialID)
  const asked = askedBy(detail)
  if (!asked) throw new InvalidParameterError('authorization_details')
  return { asked, detail }
}

/** What was approved, from the token that carries it; null for anything else. */
export function approvedManagement(details: unknown): CredentialManagement | null {
  const [detail] = Array.isArray(details) ? (details as unknown[]) : []
  return isCreation(detail) || isDeletion(detail) ? askedBy(detail) : null
}

/** Whether a token request that repeats the details asks for what was approved. */
export function repeatsManagement(approved: unknown, requested: string): boolean {
  return isDeepStrictEqual(approved, readEntry(requested))
}

function detailOf(scope: ManagementScope, credentialID: string | undefined): ManagementDetail {
  if (scope === 'credential-creation') return { type: CREATION_TYPES[0] }
  if (!credentialID) throw new MissingParameterError('credentialID', 'string')
  return { type: DELETION_TYPES[0], credentialID }
}

function readDetail(text: string): ManagementDetail {
  const entry = readEntry(text)
  if (isCreation(entry) || isDeletion(entry)) return entry
  throw new InvalidParameterError('authorization_details')
}

function askedBy(detail: ManagementDetail): CredentialManagement | null {
  if (isCreation(detail)) {
    return { act: 'creation', request: detail.credentialCreationRequest ?? null }
  }
  const { credentialID, credentialDeletionRequest: request = null } = detail
  const named = credentialID ?? request?.credentialID
  if (named === undefined || (request && request.credentialID !== named)) return null
  if (request && !isComplete(request)) return null
  return { act: 'deletion', credentialID: named, request }
}

/** A reason is needed where the certificate is to be revoked, and means nothing elsewhere. */
function isComplete({ revoke, revocationReason }: CredentialDeletionRequest): boolean {
  if (!revoke) return true
  return revocationReason !== undefined && isRevocationReason(revocationReason)
}
