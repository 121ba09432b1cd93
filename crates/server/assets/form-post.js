"use strict";
/* A response parameter may be called "submit" and would then hide the form's own method. */
HTMLFormElement.prototype.submit.call(document.getElementById("form-post"));
