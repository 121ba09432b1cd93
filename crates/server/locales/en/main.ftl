# Words of the pages. Every message stands in both languages; a test compares the two files.

brand-name = Propusk
field-destination = Going to
field-person = Signed in as

## Sign-in

login-title = Sign in to continue to { $client }
login-heading = Sign in to continue
login-username = Username or e-mail
login-password = Password
login-submit = Sign in
login-cancel = Cancel
login-forgot = Forgot your password?

notice-expired = This page had been open for too long, so signing in starts again. Please enter your name and password once more.
notice-cookie-lost = Your browser no longer had the cookie of this page, so signing in starts again. Please enter your name and password once more.
notice-cookies-blocked = Your browser does not keep cookies for this site. Allow them, then try again.
notice-wrong-credentials = The name or the password is not right. Check both and try again.
notice-throttled-seconds = { $count ->
    [one] Too many attempts. Try again in { $count } second.
   *[other] Too many attempts. Try again in { $count } seconds.
}
notice-throttled-minutes = { $count ->
    [one] Too many attempts. Try again in { $count } minute.
   *[other] Too many attempts. Try again in { $count } minutes.
}
notice-busy = Many people are signing in at this moment. Wait a few seconds and try again.
notice-unavailable = The service cannot reach the place where it keeps its data. Nothing was lost; try again in a minute.
notice-reauthenticate = Please enter your password again to confirm that it is you.
notice-stale = Some time has passed since you came here. If the application does not let you in afterwards, start again from there.
notice-password-set = The password is set, and you are signed out everywhere. Sign in with it now.

## Setting a password by a link

set-password-heading = Choose a password
set-password-person = Account
set-password-hint = { $count ->
    [one] At least { $count } character; a few unrelated words are good. You will be signed out everywhere.
   *[other] At least { $count } characters; a few unrelated words are good. You will be signed out everywhere.
}
set-password-submit = Set the password

## A forgotten password

forgot-heading = Forgot your password?
forgot-lead = Type your username or your e-mail address, and you get a mail with a link by which you choose a new password.
forgot-submit = Send the link
forgot-sent = If there is such an account and its address is verified, a mail is on its way. Look among the spam, too.
forgot-back = Back to signing in

mail-link-works = { $count ->
    [one] The link works once, for { $count } minute.
   *[other] The link works once, for { $count } minutes.
}
mail-username = Your username

mail-password-subject = { $client }: a new password
mail-password-lead = Somebody, probably you, asked for a new password at { $client }.
mail-password-link = Open this link and choose a new password:
mail-password-ignore = If it was not you, do nothing: your password stays as it is.

## Another e-mail address

verify-email-heading = Is this your address?
verify-email-lead = It becomes the e-mail address of this account:
verify-email-submit = Use this address
verify-email-note = If you have not asked for this, close the page: nothing changes.
verify-email-done-heading = The address is confirmed
verify-email-done = It is now the address of the account. You can sign in with it, and mails go there.

mail-email-subject = { $client }: confirm your address
mail-email-lead = Somebody, probably you, wants to use this address for an account at { $client }.
mail-email-for = Username of the account
mail-email-link = Open this link to confirm the address:
mail-email-ignore = If it was not you, do nothing: the address is not used.
mail-taken-subject = { $client }: this address has an account
mail-taken-lead = Somebody, probably you, wants to use this address for an account at { $client }. It already belongs to an account, so nothing was changed.
mail-taken-ignore = If it was not you, there is nothing to do.
mail-asked-subject = { $client }: another address for your account
mail-asked-lead = Somebody, probably you, wants another e-mail address for your account at { $client }. This one stays until the new one is confirmed.
mail-asked-advice = If it was not you, change your password at once: whoever asked knows it, and the change ends the link to the new address.
mail-account-page = Your account:
mail-changed-subject = { $client }: your address was changed
mail-changed-lead = Your account at { $client } now has another e-mail address. This one does not belong to it any more.
mail-changed-advice = If it was not you, tell the people who run the site at once: somebody knows your password.

## A new account

register-heading = Create an account
register-lead = A mail with a link goes to your address. On the page that it opens you choose a password.
register-username = Username
register-username-hint = A–Z, a–z, 0–9, dot, hyphen and underscore. Others see it in the chat.
register-sent = A mail is on its way to your address. Open the link in it in this browser. Look among the spam, too.
register-bad-username = A username has 1 to 64 characters: A–Z, a–z, 0–9, dot, hyphen and underscore.
register-username-taken = This username is taken. Choose another.
register-finish-heading = Choose a password
register-password-hint = { $count ->
    [one] At least { $count } character; a few unrelated words are good.
   *[other] At least { $count } characters; a few unrelated words are good.
}
register-finish-submit = Create the account

mail-register-subject = { $client }: your new account
mail-register-lead = Somebody, probably you, wants to create an account at { $client } with this address.
mail-register-link = Open this link in the same browser and choose a password:
mail-register-ignore = If it was not you, do nothing: no account is made.
mail-known-subject = { $client }: you have an account
mail-known-lead = Somebody, probably you, wants to create an account at { $client } with this address. You already have one: sign in with this address.
mail-known-advice = If you have forgotten the password, choose a new one:

## Consent

consent-heading = Allow access to your account?
consent-lead = If you allow it, { $client } will be able to:
consent-note = Your answer is remembered for this application.
consent-allow = Allow
consent-deny = Do not allow
consent-other-account = Not you? Sign in as someone else

scope-openid = recognise you when you come back
scope-profile = see your name, picture and other details of your profile
scope-email = see your e-mail address
scope-address = see your postal address
scope-phone = see your phone number
scope-roles = see which roles you have in this community
scope-groups = see which groups you belong to
scope-offline-access = keep this access while you are away
scope-other = use the permission “{ $scope }”

## Signing out

logout-heading = Do you want to sign out?
logout-lead = You will be signed out in this browser. Applications that you have already opened may keep you signed in until you leave them too.
logout-confirm = Sign out
logout-cancel = Stay signed in

logged-out-heading = You are signed out
logged-out-lead = You can close this page now.
logged-out-again = Sign in again

## Sending the answer on

form-post-heading = Taking you to the application
form-post-lead = This takes a moment.
form-post-button-lead = Your browser does not run scripts here. Press the button to go on.
form-post-button = Continue

## Home

home-heading-in = You are signed in
home-lead-in = Applications that use this sign-in will let you in without a password.
home-heading-out = You are not signed in
home-lead-out = Sign in once, and the applications that use this sign-in will let you in.
home-sign-in = Sign in
home-sign-out = Sign out

## Account

home-account = Your account
account-heading = Your account
account-profile-heading = About you
account-email = E-mail
account-email-unverified = not confirmed
account-email-none = Your account has no address.
account-new-email = New address
account-email-hint = A mail with a link goes to the new address. The present one stays until you open the link.
account-change-email = Change address
account-email-fixed = The people who run this site change the address. Ask them.
account-email-asked = A mail is on its way to the new address. Open the link in it to confirm the address. Look among the spam, too.
account-bad-email = An e-mail address cannot look like this.
account-same-email = This is your address already.
account-name = Name that others see
account-locale = Language
account-locale-browser = As in my browser
account-save = Save
account-password-heading = Password
account-old-password = Present password
account-new-password = New password
account-password-hint = { $count ->
    [one] At least { $count } character; a few unrelated words are good. You stay signed in here and are signed out everywhere else.
   *[other] At least { $count } characters; a few unrelated words are good. You stay signed in here and are signed out everywhere else.
}
account-change-password = Change password
account-sessions-heading = Where you are signed in
account-this-browser = this browser
account-device-unknown = Unknown device
account-last-seen = last used
account-end = Sign out
account-end-of = Sign out: { $client }
account-everywhere = Sign out everywhere
account-consents-heading = Applications with access
account-consents-none = You have not allowed any application anything.
account-withdraw = Withdraw
account-withdraw-of = Withdraw the access of { $client }
account-tokens-heading = Personal access tokens
account-tokens-lead = For programs that act in your name and cannot sign in. Changing the password or signing out everywhere ends all of them.
account-token-once = Your new token. It is shown only now:
account-token-until = until
account-token-name = What the token is for
account-token-scope = What it may do
account-token-days = Days that it works
account-token-create = Create token
account-token-revoked = The token is worth nothing any more.
account-bad-token = The token was not made: it needs a name, and 1 to 366 days.
account-bad-token-scope = The token was not made: choose from the list what it may do.
account-too-many-tokens = The token was not made: you have too many already. Withdraw one that you do not need.
account-saved = Saved.
account-password-changed = The password is changed, and you are signed out everywhere else.
account-session-ended = That browser is signed out.
account-withdrawn = The application has no access any more.
account-stale = The page was old or came from elsewhere, so nothing was changed. Please try again.
account-wrong-password = The present password is not right.
account-password-short = { $count ->
    [one] The new password needs at least { $count } character.
   *[other] The new password needs at least { $count } characters.
}
account-password-long = The new password is too long.
account-password-guessable = The new password is too easy to guess. A few unrelated words are harder, and easy to remember.
account-bad-name = A name cannot look like this.

## Errors

error-code-label = Error code
error-reference-label = Reference
error-report = If it happens again, tell the people who run this site the reference below.
error-restart = Start again
error-home = Go to the start page

error-unknown-client-heading = This application is not known here
error-unknown-client-hint = The link that brought you here names an application that nobody has registered. Go back to the application and tell those who run it.
error-disabled-client-heading = This application is switched off
error-disabled-client-hint = Those who run this site do not let this application sign people in at the moment.
error-redirect-uri-mismatch-heading = The way back to the application does not match
error-redirect-uri-mismatch-hint = To keep your account safe you are not sent to an address that was not registered. You did nothing wrong: the settings of the application have to be corrected.
error-redirect-uri-missing-heading = The way back to the application is missing
error-redirect-uri-missing-hint = The application did not say where to send you after signing in. Its settings have to be corrected.
error-invalid-request-heading = The request could not be understood
error-invalid-request-hint = Something in the link is missing or damaged. Go back to the application and start from there.
error-flow-broken-heading = This sign-in cannot be continued
error-flow-broken-hint = The link is incomplete, too old or already used. Go back to the application and start from there.
error-link-dead-heading = This link does not work any more
error-link-dead-hint = It was used before, has become too old, or is incomplete. Ask for a new one.
error-address-taken-heading = This address belongs to another account
error-address-taken-hint = It was confirmed there first, so nothing was changed here. If that account is yours, sign in with the address; a forgotten password is replaced on the sign-in page.
error-csrf-heading = This page has to be opened again
error-csrf-hint = The form came from another page or from an old one, so nothing was changed. Start again, and it will work.
error-throttled-heading = Too many attempts
error-throttled-hint = Wait a little and try again.
error-server-error-heading = Something went wrong on our side
error-server-error-hint = Nothing that you did is at fault. Try again in a minute.
error-temporarily-unavailable-heading = The service is not available for a moment
error-temporarily-unavailable-hint = Nothing was lost. Try again in a minute.
error-not-found-heading = There is no such page
error-not-found-hint = Check the address, or begin at the start page.
error-method-not-allowed-heading = This page cannot be used in that way
error-method-not-allowed-hint = Open it as a link, or go back to the application and start from there.
error-too-large-heading = The request is too large
error-too-large-hint = More was sent than this page accepts. Go back to the application and start from there.
error-access-denied-heading = Access was refused
error-access-denied-hint = You may not open this with the account that you used.
error-other-heading = This did not work
error-other-hint = Go back to the application and start from there.
chat-frame-heading = Sign in to the chat
chat-frame-lead-in = You are signed in. The chat opens in a moment.
chat-frame-lead-out = The chat uses the same account as the site. Signing in opens a window that closes by itself.
chat-frame-sign-in = Sign in
