"""The page for an operator: one screen, rendered here, with one small script that keeps it fresh. No build step.

- ``endpoint``  the paths: sign in, look, ask for something, follow
- ``actions``   from a form to a request of the engine, and who carries it out while the person goes on
- ``feed``      tells the open pages that something has changed
- ``board``     addons and the queue, as rows; pure
- ``entries``   the journal, as lines; pure
- ``render``    rows and lines into HTML: the home of jinja2

It works without JavaScript: every button is a form, and every filter a link.
"""
