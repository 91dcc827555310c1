export { renderApproval, type ApprovalItem, type ApprovalView } from './approval.js'
export { renderConsent, type ConsentView } from './consent.js'
export { displayText } from './display-text.js'
export { renderError, type ErrorView, type Explanation } from './error.js'
export type { CodeProblem, FormView, PinProblem } from './form.js'
export type { IdentityButton, IdentityProblem } from './identity.js'
export { chooseLanguage, LANGUAGES, type Language } from './language.js'
export { STYLESHEET_PATH, type ClientView, type PageView } from './layout.js'
export { renderManagement, type ManagementView } from './management.js'
export {
  PASSKEY_FIELD,
  PASSKEY_SCRIPT_PATH,
  type PasskeyProblem,
  type PasskeyQuestion,
} from './passkey.js'
export { renderSecondFactor, type SecondFactorView } from './second-factor.js'
export { renderSignIn, type SignInView } from './sign-in.js'
export type { SendProblem, SentCodeView } from './sent-code.js'
