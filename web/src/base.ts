/** Where the application stands: the server fills in the base of the page, which ends in a slash. */
export const base: URL = new URL(document.baseURI);
