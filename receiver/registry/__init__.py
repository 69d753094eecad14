"""The client side of the distribution specification: asks one registry, trusts none of its answers.

- ``client``     `RegistryClient`: catalogue, tags, manifests and blobs; fulfils ``receiver.sync.ports.Registry``
- ``upload``     `RegistryUploads`: blobs in chunks, continued where the line broke; manifests and tags
- ``session``    one question to one judged answer: authorised, redirected, refused by what cures it
- ``transport``  one request over one connection: keep-alive, TLS, name resolution, foreign exceptions
- ``auth``       credentials and tokens: who gets which, and for how long
- ``docker_config``      credentials from Docker's ``config.json``
- ``credential_helper``  one question to a ``docker-credential-…`` program
- ``challenge``  what a 401 asks for, and whether its token service may be asked               pure
- ``location``   URLs that may be requested, and where a redirect may lead                     pure
- ``proxy``      which requests go through the operator's proxy                    pure
- ``pages``      which next page of a listing may be asked for                                 pure
- ``ranges``     whether an answer goes on where a blob broke off                    pure
- ``answers``    a status and its error codes to the error that says what cures it             pure
- ``stream``     a body in large chunks, bounded in size and in patience
- ``retry``      three tries within seconds; everything longer is the task queue's
"""
