"""Every sentence of the pages in Russian and in English."""

from django.conf import settings

LANGUAGES = ("ru", "en")

WORDS = {
    "brand": ("Беседка", "Besedka"),
    "tagline": ("Место, где разговаривают", "A place to talk"),
    "home": ("Главная", "Home"),
    "chat": ("Чат", "Chat"),
    "moderators": ("Люди", "People"),
    "sign-in": ("Войти", "Sign in"),
    "sign-out": ("Выйти отовсюду", "Sign out everywhere"),
    "register": ("Зарегистрироваться", "Register"),
    "skip": ("К содержанию", "Skip to content"),
    "language": ("English", "Русский"),
    "home-heading": ("О чём говорят", "What people talk about"),
    "home-lead": (
        "Беседка открыта для всех: читать может каждый, писать — кто вошёл. Один вход на сайт и в чат.",
        "Everybody is welcome: anyone reads, members write. You sign in once for the site and the chat.",
    ),
    "nothing-yet": ("Пока тихо. Начните разговор.", "Nothing here yet. Begin the talk."),
    "write": ("Ваше слово", "Your words"),
    "post": ("Сказать", "Post"),
    "you-are": ("Вы вошли как", "You are signed in as"),
    "roles": ("Роли", "Roles"),
    "no-roles": ("нет", "none"),
    "register-heading": ("Регистрация", "Register"),
    "register-lead": (
        "Учётная запись одна на всё сообщество. После регистрации вы войдёте на странице входа.",
        "One account for the whole community. After registering you sign in on the sign-in page.",
    ),
    "username": ("Имя для входа", "User name"),
    "name": ("Как вас зовут", "Your name"),
    "email": ("Электронная почта", "E-mail"),
    "password": ("Пароль", "Password"),
    "password-hint": ("Не короче восьми знаков. Лучше фраза, чем слово.", "At least eight characters. A phrase is better than a word."),
    "create-account": ("Создать учётную запись", "Create the account"),
    "have-account": ("Уже есть учётная запись?", "You have an account already?"),
    "required": ("Заполните это поле.", "Fill in this field."),
    "password-short": ("Пароль короче восьми знаков.", "The password has less than eight characters."),
    "username-refused": (
        "Имя для входа: латинские буквы, цифры, точка, дефис, подчёркивание.",
        "A user name has Latin letters, digits, dots, hyphens and underscores.",
    ),
    "name-refused": ("Это имя не годится.", "This name does not do."),
    "password-refused": (
        "Такой пароль легко угадать. Возьмите несколько не связанных слов.",
        "This password is easy to guess. Take a few unrelated words.",
    ),
    "email-refused": ("Это не похоже на адрес почты.", "This does not look like an e-mail address."),
    "taken": ("Это имя или этот адрес уже заняты.", "This name or this address is taken."),
    "not-accepted": ("Служба входа не приняла эти данные.", "The sign-in service did not accept this."),
    "too-many-address": (
        "С вашего адреса слишком много попыток регистрации. Попробуйте через {minutes} мин.",
        "Too many attempts to register from your address. Try again in {minutes} min.",
    ),
    "too-many-all": (
        "Сейчас регистрируется слишком много людей. Попробуйте через {minutes} мин.",
        "Too many people are registering just now. Try again in {minutes} min.",
    ),
    "registered": ("Учётная запись создана.", "The account was created."),
    "moderators-heading": ("Люди и роли", "People and roles"),
    "moderators-lead": (
        "Новая роль действует в чате сразу, на сайте в течение полуминуты, в API — когда закончится токен (до десяти минут).",
        "A new role holds in the chat at once, on the site within half a minute, in the API when the token ends (ten minutes at most).",
    ),
    "search": ("Искать", "Search"),
    "person": ("Человек", "Person"),
    "role": ("Роль", "Role"),
    "save": ("Сохранить", "Save"),
    "next-page": ("Дальше", "Next"),
    "nobody-found": ("Никого не нашлось.", "Nobody was found."),
    "role-user": ("участник", "member"),
    "role-moderator": ("модератор", "moderator"),
    "role-owner": ("владелец", "owner"),
    "role-changed": ("Роль изменена.", "The role was changed."),
    "role-changed-meanwhile": (
        "Этого человека только что изменил кто-то другой. Посмотрите, как теперь, и повторите.",
        "Somebody else has just changed this person. See how they are now, and try again.",
    ),
    "role-not-changed": ("Роль не изменилась: служба входа отказала или не ответила.", "The role was not changed: the sign-in service refused or did not answer."),
    "chat-heading": ("Чат", "Chat"),
    "channels": ("Каналы", "Channels"),
    "chat-frame": ("Чат сообщества", "The community’s chat"),
    "open-directly": ("Открыть чат в отдельной вкладке", "Open the chat in a tab of its own"),
    "chat-loading": ("Чат загружается…", "The chat is loading…"),
    "chat-no-script": ("Без скриптов чат открывается отдельно.", "Without scripts the chat opens in a tab of its own."),
    "chat-empty": ("Чат не показывается на этой странице", "The chat does not show on this page"),
    "chat-header": ("Что ответил чат", "What the chat answered"),
    "chat-setting": ("Настройка Rocket.Chat", "Setting of Rocket.Chat"),
    "frame-x-frame-options": (
        "Чат запретил показывать себя внутри других страниц. В Rocket.Chat выключите настройку «Ограничить доступ внутри iframe» (Iframe_Restrict_Access).",
        "The chat forbids other pages to show it. In Rocket.Chat turn off “Restrict access inside any Iframe” (Iframe_Restrict_Access).",
    ),
    "frame-frame-ancestors": (
        "Заголовок с frame-ancestors не пускает чат на эту страницу. Такой настройки в Rocket.Chat нет: заголовок добавляет прокси перед чатом, исправлять надо там.",
        "A header with frame-ancestors keeps the chat off this page. Rocket.Chat has no such setting: a proxy in front of it adds the header, and there it is to be changed.",
    ),
    "frame-unreachable": ("Чат не отвечает.", "The chat does not answer."),
    "frame-status": ("Чат отвечает ошибкой.", "The chat answers with an error."),
    "no-such-channel": ("Такого канала нет.", "There is no such channel."),
    "channel-not-yours": ("Этот канал не для вашей роли.", "This channel is not for your role."),
    "sign-in-failed": ("Войти не получилось. Попробуйте ещё раз.", "The sign-in did not work. Try again."),
    "sign-in-cancelled": ("Вход отменён.", "The sign-in was cancelled."),
    "provider-unreachable": ("Служба входа сейчас не отвечает. Попробуйте чуть позже.", "The sign-in service does not answer now. Try again a little later."),
    "site-unreachable": ("Сайт не отвечает. Обновите страницу.", "The site does not answer. Reload the page."),
    "session-ended": ("Ваш сеанс закончен. Войдите снова.", "Your session has ended. Sign in again."),
    "signed-out-here-only": (
        "Вы вышли на этом сайте. Служба входа не ответила: там сеанс ещё открыт.",
        "You are signed out here. The sign-in service did not answer: its session is still open.",
    ),
    "forbidden": ("Сюда нельзя", "Not for you"),
    "forbidden-lead": ("Для этой страницы нужна другая роль.", "This page needs another role."),
    "not-found": ("Такой страницы нет", "No such page"),
    "not-found-lead": ("Возможно, она переехала или её никогда не было.", "Perhaps it moved, perhaps it never was."),
    "form-old": ("Форма устарела", "The form is out of date"),
    "form-old-lead": ("Вернитесь, обновите страницу и отправьте ещё раз.", "Go back, reload the page and send it again."),
}


def language_of(request):
    """The language that the person chose, or the first of the browser's that there is; Russian otherwise."""
    chosen = request.COOKIES.get("besedka_language")
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("Accept-Language", "").lower().split(",")[:20]:
        tag = part.split(";")[0].strip().split("-")[0]
        if tag in LANGUAGES:
            return tag
    return LANGUAGES[0]


def say(request, key):
    """The sentence in the language of the request."""
    return WORDS[key][LANGUAGES.index(request.language)]


def context(request):
    """What every template has."""
    return {"language": request.language, "other_language": "en" if request.language == "ru" else "ru", "has_chat": bool(settings.CHAT_URL)}
